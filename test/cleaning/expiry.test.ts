import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { type CleanupRequest, cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject, Resource } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import { status } from '../../src/status/status.ts'
import {
  certificateHosts,
  createdObjects,
  find,
  fullMesh,
  gatewayHosts,
  hosts,
  refusal,
  requestFor,
  world,
} from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'

const HOUR = 3_600_000
const EXPIRED: CleanupRequest = { addons: requireAddons([]), expired: true, yes: true, dryRun: 'none' }

function forHours(hours: number | 'never' | undefined, ...names: string[]) {
  const ttl = typeof hours === 'number' ? hours * HOUR : hours
  return { ...requestFor(...names), terms: { allowAnonymous: true, ttl } }
}

const annotations = ({ cluster }: FakeWorld, addon: string) =>
  find(cluster, 'VirtualService', addon).metadata.annotations
const expiry = (one: FakeWorld, addon: string) => annotations(one, addon)?.['kubectl-telemetry/expires-at']
const routes = ({ cluster }: FakeWorld) =>
  createdObjects(cluster)
    .filter(({ kind }) => kind === 'VirtualService')
    .map(({ metadata }) => metadata.name.replace('kubectl-telemetry-', ''))
    .sort()

describe('expose --ttl', () => {
  it('writes the expiry time on the route, and reports it', async () => {
    const one = world()
    const { result } = await expose(forHours(8, 'grafana'), one)
    assert.equal(expiry(one, 'grafana'), '2026-11-21T20:00:00Z')
    assert.equal(result.exposures[0]?.expiresAt, '2026-11-21T20:00:00Z')
  })

  it('stays without the flag, starts again with it, and is removed with never', async () => {
    const one = fullMesh()
    await expose(forHours(8, 'grafana'), one)
    await expose(forHours(undefined, 'grafana', 'kiali'), one)
    assert.deepEqual([expiry(one, 'grafana'), expiry(one, 'kiali')], ['2026-11-21T20:00:00Z', undefined])
    await expose({ ...forHours(1, 'kiali'), layout: 'ports' }, one)
    assert.deepEqual([expiry(one, 'grafana'), expiry(one, 'kiali')], ['2026-11-21T20:00:00Z', '2026-11-21T13:00:00Z'])
    await expose(forHours('never', 'grafana'), one)
    assert.equal(expiry(one, 'grafana'), undefined)
  })
})

describe('times of expiry, with a clock that is wrong', () => {
  /** @param hours by which the API server's clock is ahead of this machine's */
  const skewed = (one: FakeWorld, hours: number) => {
    one.cluster.clockAhead = hours * HOUR
    return one
  }

  it('follow the API server when they are set, and say so', async () => {
    const one = skewed(world(), -1)
    const { result } = await expose(forHours(8, 'grafana'), one)
    assert.equal(expiry(one, 'grafana'), '2026-11-21T19:00:00Z')
    assert.deepEqual(
      result.warnings.map(({ code, severity, message }) => [code, severity, /60 min ahead of that/.test(message)]),
      [['CLOCK_SKEW', 'notes', true]],
    )
  })

  it('follow the API server when cleanup --expired decides what is over', async () => {
    const one = world()
    await expose(forHours(2, 'grafana'), one)
    // This machine's clock says that it is over, the API server's that it is not.
    await one.clock.sleep(3 * HOUR)
    const kept = await cleanup(EXPIRED, skewed(one, -2))
    assert.deepEqual(routes(one), ['grafana'])
    assert.ok(kept.warnings.some(({ code }) => code === 'CLOCK_SKEW'))
    const { warnings } = await cleanup(EXPIRED, skewed(one, 0))
    assert.deepEqual([routes(one), warnings], [[], []])
  })

  it('follow the API server in status', async () => {
    const one = world()
    await expose(forHours(2, 'grafana'), one)
    const codes = async () => (await status({ expiresIn: 0 }, one)).problems.map(({ code }) => code)
    assert.deepEqual(await codes(), [])
    skewed(one, 3)
    assert.deepEqual(await codes(), ['EXPOSURE_EXPIRED', 'CLOCK_SKEW'])
  })

  it('count a difference of a minute as none', async () => {
    const one = world()
    one.cluster.clockAhead = 60_000
    assert.deepEqual((await expose(forHours(8, 'grafana'), one)).result.warnings, [])
  })
})

describe('--allow-anonymous', () => {
  it('is recorded on the route, and not needed again', async () => {
    const one = world()
    const { result } = await expose(requestFor('grafana'), one)
    assert.equal(annotations(one, 'grafana')?.['kubectl-telemetry/allow-anonymous'], 'Admin over HTTPS')
    assert.equal(result.exposures[0]?.anonymous, true)
    one.cluster.writes.length = 0
    await expose({ ...requestFor('grafana'), terms: { allowAnonymous: false } }, one)
    assert.deepEqual(one.cluster.writes, [])
  })

  it('is removed by a guard: without the guard it is needed again', async () => {
    const one = world()
    await expose(requestFor('grafana'), one)
    const silent = { ...requestFor('grafana'), terms: { allowAnonymous: false } }
    await expose({ ...silent, guard: { cidrs: ['10.0.0.0/8'] } }, one)
    assert.equal(annotations(one, 'grafana')?.['kubectl-telemetry/allow-anonymous'], undefined)
    assert.equal((await refusal(expose({ ...silent, guard: { cidrs: 'any' } }, one))).code, 'ANONYMOUS_ACCESS')
  })
})

describe('cleanup --expired', () => {
  it('removes only expired add-ons, and shrinks the objects that they shared', async () => {
    const one = fullMesh()
    await expose(forHours(1, 'grafana', 'tracing'), one)
    await expose(forHours(2, 'kiali'), one)
    await expose(forHours(undefined, 'prometheus'), one)
    await one.clock.sleep(HOUR)
    const result = await cleanup(EXPIRED, one)
    assert.deepEqual(
      result.deleted.map(({ name }) => name),
      ['kubectl-telemetry-grafana', 'kubectl-telemetry-tracing'],
    )
    assert.deepEqual(result.warnings, [])
    assert.deepEqual(gatewayHosts(one.cluster), hosts('kiali', 'prometheus'))
    assert.deepEqual(certificateHosts(one.cluster), hosts('kiali', 'prometheus'))
  })

  it('removes everything with the last one, including its guard', async () => {
    const one = world()
    await expose({ ...forHours(1, 'grafana'), guard: { cidrs: ['10.0.0.0/8'] } }, one)
    await one.clock.sleep(HOUR - 1)
    assert.deepEqual((await cleanup(EXPIRED, one)).deleted, [])
    await one.clock.sleep(1)
    await cleanup(EXPIRED, one)
    assert.deepEqual(createdObjects(one.cluster), [])
  })

  it('removes only named ones, and none with a time that it cannot read', async () => {
    const one = fullMesh()
    await expose(forHours(1, 'grafana', 'kiali', 'tracing'), one)
    const route = find(one.cluster, 'VirtualService', 'kiali')
    route.metadata.annotations = { 'kubectl-telemetry/expires-at': 'soon' }
    await one.clock.sleep(HOUR)
    await cleanup({ ...EXPIRED, addons: requireAddons(['grafana', 'kiali']) }, one)
    assert.deepEqual(routes(one), ['kiali', 'tracing'])
  })

  it('works without the permission to list Secrets: the Secret is in the namespace of its routes', async () => {
    const one = world()
    await expose(forHours(1, 'grafana'), one)
    await one.clock.sleep(HOUR)
    const list = one.cluster.list.bind(one.cluster)
    one.cluster.list = async <T extends KubeObject>(resource: Resource, options = {}) => {
      if (resource.plural === 'secrets') throw new UserError('FORBIDDEN', 'cannot list')
      return list<T>(resource, options)
    }
    await cleanup(EXPIRED, one)
    assert.deepEqual(createdObjects(one.cluster), [])
  })

  it('keeps the CAs of add-ons that stay', async () => {
    const error = await refusal(cleanup({ ...EXPIRED, certificates: true }, world()))
    assert.equal(error.code, 'CERTIFICATES_IN_USE')
  })
})
