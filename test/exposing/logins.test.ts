import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { GuardRequest } from '../../src/access/guard.ts'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import { type ExposeRequest, expose } from '../../src/exposing/expose.ts'
import { succeeded } from '../../src/exposing/result.ts'
import type { Probe } from '../../src/probing/prober.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { find, fullMesh, ours, refusal, requestFor, world, written } from './exposing.ts'

const PASSWORD: GuardRequest = { login: { kind: 'basic', users: undefined } }
const USER = 'me:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='
const ASKS: Probe = { ok: true, hop: 'access', status: 401, protocol: 'HTTP/2', milliseconds: 1 }
const PAGE: Probe = { ok: true, hop: 'upstream', status: 200, protocol: 'HTTP/2', milliseconds: 1 }

function behind(guard: GuardRequest, ...names: string[]): ExposeRequest {
  return { ...requestFor(...names), terms: { allowAnonymous: false }, guard }
}

/** A world whose gateway asks strangers for a login. */
function guarded(one = fullMesh()): FakeWorld {
  one.prober.probe = async (target) => {
    one.prober.probed.push(target)
    return target.authorization === undefined ? ASKS : PAGE
  }
  return one
}

const filter = ({ cluster }: FakeWorld, addon: string) => find(cluster, 'EnvoyFilter', addon)
const kinds = ({ cluster }: FakeWorld) =>
  ours(cluster)
    .map(({ kind }) => kind)
    .sort()

describe('expose --auth basic', () => {
  it('makes a password, keeps its hash alone, and shows that it is asked for and let in by', async () => {
    const one = guarded()
    const { result } = await expose(behind(PASSWORD, 'grafana'), one)
    const { user, password, addons } = result.credentials ?? { user: '', password: '', addons: [] }
    assert.deepEqual([user, addons], ['telemetry', ['grafana']])
    assert.deepEqual(
      one.prober.probed.map(({ authorization }) => authorization),
      [undefined, `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`],
    )
    assert.deepEqual(result.exposures[0]?.probe, PAGE)
    assert.deepEqual(result.exposures[0]?.guard, { login: { kind: 'basic', users: ['telemetry'] } })
    assert.ok(succeeded(result))
    assert.ok(!JSON.stringify(one.cluster.objects).includes(password))
    assert.match(JSON.stringify(filter(one, 'grafana')), /telemetry:\{SHA\}/)
  })

  it('writes the filter before the route, and keeps the password from the add-on', async () => {
    const one = guarded()
    await expose(behind(PASSWORD, 'prometheus'), one)
    assert.deepEqual(written(one), [
      'Secret/kubectl-telemetry-tls',
      'EnvoyFilter/kubectl-telemetry-prometheus',
      'VirtualService/kubectl-telemetry-prometheus',
      'Gateway/kubectl-telemetry',
    ])
    const { http } = find(one.cluster, 'VirtualService').spec as { http: { route?: { headers?: object }[] }[] }
    assert.deepEqual(
      http.flatMap(({ route = [] }) => route.map(({ headers }) => headers)),
      [{ request: { remove: ['authorization'] } }],
    )
  })

  it('keeps the password in use, and makes one for an add-on that has none', async () => {
    const one = guarded()
    await expose(behind(PASSWORD, 'grafana'), one)
    const before = filter(one, 'grafana')
    const again = await expose(behind(PASSWORD, 'grafana'), one)
    assert.equal(again.result.credentials, undefined)
    assert.deepEqual(again.result.exposures[0]?.probe, ASKS)
    const more = await expose(behind(PASSWORD, 'grafana', 'kiali'), one)
    assert.deepEqual(more.result.credentials?.addons, ['kiali'])
    assert.deepEqual(filter(one, 'grafana'), before)
  })

  it('takes users of one’s own, of whom it shows names alone', async () => {
    const one = guarded()
    const { result } = await expose(behind({ login: { kind: 'basic', users: [USER] } }, 'grafana'), one)
    assert.deepEqual(result.exposures[0]?.guard?.login, { kind: 'basic', users: ['me'] })
    assert.equal(result.credentials, undefined)
    assert.ok(!JSON.stringify(result).includes('SHA'))
  })

  it('stays beside an allow list that comes and goes, and moves with its add-on', async () => {
    const one = guarded()
    await expose(behind(PASSWORD, 'grafana'), one)
    await expose(behind({ cidrs: ['10.0.0.0/8'] }, 'grafana'), one)
    await expose({ ...requestFor('kiali'), layout: 'ports' }, one)
    assert.deepEqual(kinds(one).slice(0, 2), ['AuthorizationPolicy', 'EnvoyFilter'])
    assert.match(JSON.stringify(filter(one, 'grafana')), /"telemetry\.192\.0\.2\.10\.nip\.io:15031"/)
    await expose(behind({ cidrs: 'any' }, 'grafana'), one)
    assert.deepEqual(kinds(one).slice(0, 2), ['EnvoyFilter', 'Gateway'])
  })

  it('goes with --auth none, which needs consent then', async () => {
    const one = guarded()
    await expose(behind(PASSWORD, 'grafana'), one)
    assert.equal((await refusal(expose(behind({ login: 'none' }, 'grafana'), one))).code, 'ANONYMOUS_ACCESS')
    one.prober.probe = async () => PAGE
    await expose({ ...behind({ login: 'none' }, 'grafana'), terms: { allowAnonymous: true } }, one)
    assert.deepEqual(kinds(one), ['Gateway', 'Secret', 'VirtualService'])
  })

  it('has failed when strangers get the page, and says to take it away', async () => {
    const one = world()
    const { result } = await expose(behind(PASSWORD, 'grafana'), one)
    assert.equal(succeeded(result), false)
    const { ok, hop, message } = result.exposures[0]?.probe ?? {}
    assert.deepEqual([ok, hop], [false, 'access'])
    assert.match(message ?? '', /the gateway lets anyone in \(200\)/)
    assert.match(result.warnings.at(-1)?.remedy ?? '', /^kubectl telemetry cleanup grafana/)
  })

  it('in a dry run shows no password, and says that nobody will know it', async () => {
    const one = guarded()
    const { result } = await expose({ ...behind(PASSWORD, 'grafana'), dryRun: 'server' }, one)
    assert.equal(result.credentials, undefined)
    assert.ok(result.warnings.some(({ code }) => code === 'PASSWORD_NOT_KEPT'))
  })

  it('is taken away with its add-on', async () => {
    const one = guarded()
    await expose(behind(PASSWORD, 'grafana', 'kiali'), one)
    const request = { yes: true, dryRun: 'none' as const }
    await cleanup({ ...request, addons: { names: ['grafana'], named: true } }, one)
    assert.deepEqual(
      ours(one.cluster)
        .filter(({ kind }) => kind === 'EnvoyFilter')
        .map(({ metadata }) => metadata.name),
      ['kubectl-telemetry-kiali'],
    )
    await cleanup({ ...request, addons: { names: ['kiali'], named: true } }, one)
    assert.deepEqual(ours(one.cluster), [])
  })
})
