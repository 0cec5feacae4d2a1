import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { GuardRequest } from '../../src/access/guard.ts'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { ExposeRequest } from '../../src/exposing/request.ts'
import { succeeded } from '../../src/exposing/result.ts'
import type { Probe } from '../../src/probing/prober.ts'
import { type FakeWorld, ROUTE } from '../fakes/fake-world.ts'
import { createdObjects, find, fullMesh, isClosed, refusal, requestFor, world, written } from './exposing.ts'

const PASSWORD: GuardRequest = { login: { kind: 'basic', users: undefined } }
const USER = 'me:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='
const ASKS: Probe = { ok: true, hop: 'access', status: 401, protocol: 'HTTP/2', milliseconds: 1 }
const PAGE: Probe = { ok: true, hop: 'upstream', status: 200, protocol: 'HTTP/2', milliseconds: 1 }

function behind(guard: GuardRequest, ...names: string[]): ExposeRequest {
  return { ...requestFor(...names), terms: { allowAnonymous: false }, guard }
}

/** A world whose gateway asks for a login. */
function guarded(one = fullMesh()): FakeWorld {
  one.prober.page = ({ authorization }) => (authorization === undefined ? ASKS : PAGE)
  return one
}

const filter = ({ cluster }: FakeWorld, addon: string) => find(cluster, 'EnvoyFilter', addon)
const kinds = ({ cluster }: FakeWorld) =>
  createdObjects(cluster)
    .map(({ kind }) => kind)
    .sort()

describe('expose --auth basic', () => {
  it('generates a password, stores only its hash, and proves that the login is needed and works', async () => {
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

  it('writes the filter before the route, and does not pass the password to the add-on', async () => {
    const one = guarded()
    await expose(behind(PASSWORD, 'prometheus'), one)
    assert.deepEqual(written(one), [
      'EnvoyFilter/kubectl-telemetry-prometheus',
      'VirtualService/kubectl-telemetry-prometheus',
      'Secret/kubectl-telemetry-tls',
      'Gateway/kubectl-telemetry',
      'VirtualService/kubectl-telemetry-prometheus', // opened
    ])
    const { http } = find(one.cluster, 'VirtualService').spec as { http: { route?: { headers?: object }[] }[] }
    assert.deepEqual(
      http.flatMap(({ route = [] }) => route.map(({ headers }) => headers)),
      [{ request: { remove: ['authorization'] } }],
    )
  })

  it('keeps the password in use, and generates one for an add-on that has none', async () => {
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

  it('accepts the user’s own htpasswd file, and shows only the names', async () => {
    const one = guarded()
    const { result } = await expose(behind({ login: { kind: 'basic', users: [USER] } }, 'grafana'), one)
    assert.deepEqual(result.exposures[0]?.guard?.login, { kind: 'basic', users: ['me'] })
    assert.equal(result.credentials, undefined)
    assert.ok(!JSON.stringify(result).includes('{SHA}'))
  })

  it('stays when an allow list is added and removed, and moves with its add-on', async () => {
    const one = guarded()
    await expose(behind(PASSWORD, 'grafana'), one)
    await expose(behind({ cidrs: ['10.0.0.0/8'] }, 'grafana'), one)
    await expose({ ...requestFor('kiali'), layout: 'ports' }, one)
    assert.deepEqual(kinds(one).slice(0, 2), ['AuthorizationPolicy', 'EnvoyFilter'])
    assert.match(JSON.stringify(filter(one, 'grafana')), /"telemetry\.192\.0\.2\.10\.nip\.io:15031"/)
    await expose(behind({ cidrs: 'any' }, 'grafana'), one)
    assert.deepEqual(kinds(one).slice(0, 2), ['EnvoyFilter', 'Gateway'])
  })

  it('is removed by --auth none, which then needs consent', async () => {
    const one = guarded()
    await expose(behind(PASSWORD, 'grafana'), one)
    assert.equal((await refusal(expose(behind({ login: 'none' }, 'grafana'), one))).code, 'ANONYMOUS_ACCESS')
    one.prober.page = () => PAGE
    await expose({ ...behind({ login: 'none' }, 'grafana'), terms: { allowAnonymous: true } }, one)
    assert.deepEqual(kinds(one), ['Gateway', 'Secret', 'VirtualService'])
  })

  it('closes the route again when the page needs no login, and says so', async () => {
    const one = world()
    const { result } = await expose(behind(PASSWORD, 'grafana'), one)
    assert.equal(succeeded(result), false)
    const { ok, hop, message } = result.exposures[0]?.probe ?? {}
    assert.deepEqual([ok, hop], [false, 'access'])
    assert.match(message ?? '', /the gateway lets anyone in \(200\)/)
    assert.equal(result.warnings.at(-1)?.code, 'GUARD_WITHOUT_EFFECT')
    assert.ok(isClosed(one, 'grafana'))
  })

  it('does not take a 401 of the add-on for the login, where the gateway does not say which of both answered', async () => {
    const one = world()
    one.prober.page = () => ASKS
    one.prober.guarding = () => ROUTE
    const { result } = await expose(behind(PASSWORD, 'grafana'), one)
    assert.equal(succeeded(result), false)
    assert.ok(result.warnings.some(({ code }) => code === 'GUARD_WITHOUT_EFFECT'))
    assert.ok(isClosed(one, 'grafana'))
  })

  it('shows no password in a dry run, and notes that it is not kept', async () => {
    const one = guarded()
    const { result } = await expose({ ...behind(PASSWORD, 'grafana'), dryRun: 'server' }, one)
    assert.equal(result.credentials, undefined)
    assert.ok(result.warnings.some(({ code }) => code === 'PASSWORD_NOT_KEPT'))
  })

  it('is removed with its add-on', async () => {
    const one = guarded()
    await expose(behind(PASSWORD, 'grafana', 'kiali'), one)
    const request = { yes: true, dryRun: 'none' as const }
    await cleanup({ ...request, addons: { names: ['grafana'], named: true } }, one)
    assert.deepEqual(
      createdObjects(one.cluster)
        .filter(({ kind }) => kind === 'EnvoyFilter')
        .map(({ metadata }) => metadata.name),
      ['kubectl-telemetry-kiali'],
    )
    await cleanup({ ...request, addons: { names: ['kiali'], named: true } }, one)
    assert.deepEqual(createdObjects(one.cluster), [])
  })
})
