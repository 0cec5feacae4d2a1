import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { type CleanupRequest, cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject, Resource } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import {
  certificateHosts,
  find,
  fullMesh,
  gatewayHosts,
  hosts,
  ours,
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
  ours(cluster)
    .filter(({ kind }) => kind === 'VirtualService')
    .map(({ metadata }) => metadata.name.replace('kubectl-telemetry-', ''))
    .sort()

describe('expose --ttl', () => {
  it('writes when it expires on the route, and says so', async () => {
    const one = world()
    const { result } = await expose(forHours(8, 'grafana'), one)
    assert.equal(expiry(one, 'grafana'), '2026-11-21T20:00:00Z')
    assert.equal(result.exposures[0]?.expiresAt, '2026-11-21T20:00:00Z')
  })

  it('stays when nothing is said of it, counts anew when it is said again, and goes with never', async () => {
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

describe('--allow-anonymous', () => {
  it('is remembered on the route, and not asked for again', async () => {
    const one = world()
    const { result } = await expose(requestFor('grafana'), one)
    assert.equal(annotations(one, 'grafana')?.['kubectl-telemetry/allow-anonymous'], 'true')
    assert.equal(result.exposures[0]?.anonymous, true)
    one.cluster.writes.length = 0
    await expose({ ...requestFor('grafana'), terms: { allowAnonymous: false } }, one)
    assert.deepEqual(one.cluster.writes, [])
  })

  it('is forgotten with a guard: without that it has to be said again', async () => {
    const one = world()
    await expose(requestFor('grafana'), one)
    const silent = { ...requestFor('grafana'), terms: { allowAnonymous: false } }
    await expose({ ...silent, guard: { cidrs: ['10.0.0.0/8'] } }, one)
    assert.equal(annotations(one, 'grafana')?.['kubectl-telemetry/allow-anonymous'], undefined)
    assert.equal((await refusal(expose({ ...silent, guard: { cidrs: 'any' } }, one))).code, 'ANONYMOUS_ACCESS')
  })
})

describe('cleanup --expired', () => {
  it('takes away what is over and nothing else, and shrinks what it shared', async () => {
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

  it('takes everything with the last one, its guard too', async () => {
    const one = world()
    await expose({ ...forHours(1, 'grafana'), guard: { cidrs: ['10.0.0.0/8'] } }, one)
    await one.clock.sleep(HOUR - 1)
    assert.deepEqual((await cleanup(EXPIRED, one)).deleted, [])
    await one.clock.sleep(1)
    await cleanup(EXPIRED, one)
    assert.deepEqual(ours(one.cluster), [])
  })

  it('of those that are named, and leaves a time alone that it cannot read', async () => {
    const one = fullMesh()
    await expose(forHours(1, 'grafana', 'kiali', 'tracing'), one)
    const route = find(one.cluster, 'VirtualService', 'kiali')
    route.metadata.annotations = { 'kubectl-telemetry/expires-at': 'soon' }
    await one.clock.sleep(HOUR)
    await cleanup({ ...EXPIRED, addons: requireAddons(['grafana', 'kiali']) }, one)
    assert.deepEqual(routes(one), ['kiali', 'tracing'])
  })

  it('does without the right to list Secrets: ours is beside its routes', async () => {
    const one = world()
    await expose(forHours(1, 'grafana'), one)
    await one.clock.sleep(HOUR)
    const list = one.cluster.list.bind(one.cluster)
    one.cluster.list = async <T extends KubeObject>(resource: Resource, options = {}) => {
      if (resource.plural === 'secrets') throw new UserError('FORBIDDEN', 'cannot list')
      return list<T>(resource, options)
    }
    await cleanup(EXPIRED, one)
    assert.deepEqual(ours(one.cluster), [])
  })

  it('keeps the authorities of what stays', async () => {
    const error = await refusal(cleanup({ ...EXPIRED, certificates: true }, world()))
    assert.equal(error.code, 'CERTIFICATES_IN_USE')
  })
})
