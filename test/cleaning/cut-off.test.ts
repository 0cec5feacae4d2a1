import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { ExposeRequest } from '../../src/exposing/request.ts'
import { createdObjects, requestFor, world } from '../exposing/exposing.ts'
import { asksForLogin, gatewayService, requestForServices, shopMesh } from '../exposing/services/services.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { killedAfter } from '../fakes/killed.ts'
import { grafana, ingressGateway, kiali, kialiDeployment } from '../fakes/mesh.ts'

const CLEAN = { yes: true, dryRun: 'none' } as const
const PAGE = {
  addons: { names: [], named: true },
  services: [{ name: 'productpage' }],
  namespace: 'bookinfo',
  ...CLEAN,
}
const GRAFANA = { addons: requireAddons(['grafana']), ...CLEAN }
const GUARDED = { guard: { cidrs: ['203.0.113.0/24'] }, ports: [{ port: 666 }] }

async function exposed(): Promise<FakeWorld> {
  const one = shopMesh()
  await expose(requestForServices('productpage', GUARDED), one)
  one.cluster.writes.length = 0
  return one
}

/** The run of test/e2e/exposing/killed.test.ts: every kind of object that expose can write. */
const EVERYTHING: ExposeRequest = {
  ...requestFor('grafana', 'kiali'),
  guard: { cidrs: ['203.0.113.0/24'], login: { kind: 'basic', users: ['me:{SHA}q/eq1kOINtvlJqojGr3i0O73TUI='] } },
  layout: 'ports',
  link: true,
}
const ALL = { addons: { names: [], named: false }, ...CLEAN }
const OBJECTS = [...grafana(), ...ingressGateway(), ...kiali(), kialiDeployment()]

/** A mesh in which a login is asked for. @param objects of an earlier run; by default nothing is exposed */
function guardedMesh(objects: KubeObject[] = OBJECTS): FakeWorld {
  const one = world(structuredClone(objects))
  asksForLogin(one)
  return one
}

/** Everything but what the API server counts; it does not tell an empty map from none. */
const state = ({ cluster }: FakeWorld) =>
  Object.fromEntries(
    cluster.objects.map(({ metadata: { uid: _u, resourceVersion: _r, generation: _g, ...metadata }, ...rest }) => [
      `${rest.kind} ${metadata.namespace}/${metadata.name}`,
      { ...rest, metadata: { labels: {}, annotations: {}, managedFields: [], ...metadata } },
    ]),
  )

describe('a run that is killed after any single write', () => {
  it('of expose is undone by cleanup without a difference', async () => {
    const untouched = state(guardedMesh())
    const whole = guardedMesh()
    await expose(EVERYTHING, whole)
    const count = whole.cluster.writes.length
    assert.equal(count, 13)
    for (let writes = 1; writes <= count; writes++) {
      const one = guardedMesh()
      if (writes < count)
        await assert.rejects(expose(EVERYTHING, { ...one, cluster: killedAfter(writes, one.cluster) }), /killed/)
      else await expose(EVERYTHING, one)
      assert.equal(one.cluster.writes.length, writes)
      assert.notDeepEqual(state(one), untouched)
      await cleanup(ALL, one)
      assert.deepEqual(state(one), untouched, `after write ${writes}`)
    }
  })

  it('of cleanup is completed by a second one without a difference', async () => {
    const untouched = state(guardedMesh())
    const exposed = guardedMesh()
    await expose(EVERYTHING, exposed)
    const again = () => ({ ...guardedMesh(exposed.cluster.objects), authorities: exposed.authorities })
    const whole = again()
    await cleanup(ALL, whole)
    const count = whole.cluster.writes.length
    assert.equal(count, 12)
    for (let writes = 1; writes < count; writes++) {
      const one = again()
      await assert.rejects(cleanup(ALL, { ...one, cluster: killedAfter(writes, one.cluster) }), /killed/)
      assert.equal(one.cluster.writes.length, writes)
      await cleanup(ALL, one)
      assert.deepEqual(state(one), untouched, `after write ${writes}`)
    }
  })
})

describe('cleanup of the only exposure, killed after any single write', () => {
  it('is completed by the same command', async () => {
    const ports = structuredClone(gatewayService(shopMesh()).spec)
    const whole = await exposed()
    await cleanup(PAGE, whole)
    const count = whole.cluster.writes.length
    // The Service, the Gateway, the route, its guard, the Secret.
    assert.equal(count, 5)
    for (let writes = 1; writes < count; writes++) {
      const one = await exposed()
      await assert.rejects(cleanup(PAGE, { ...one, cluster: killedAfter(writes, one.cluster) }), /killed/)
      assert.equal(one.cluster.writes.length, writes)
      await cleanup(PAGE, one)
      assert.deepEqual(createdObjects(one.cluster), [], `after write ${writes}`)
      assert.deepEqual(gatewayService(one).spec, ports, `after write ${writes}`)
    }
  })

  it('leaves the Secret to an exposure that is still there, or is being created', async () => {
    const one = await exposed()
    const { objects } = one.cluster
    for (const kind of ['VirtualService', 'Gateway'])
      objects.splice(
        objects.findIndex((other) => other.kind === kind && other.metadata.name.startsWith('kubectl-telemetry')),
        1,
      )
    await cleanup(GRAFANA, one)
    assert.deepEqual(one.cluster.writes, [])
    await expose(requestFor('kiali'), one)
    one.cluster.writes.length = 0
    await cleanup(GRAFANA, one)
    assert.deepEqual(one.cluster.writes, [])
  })
})
