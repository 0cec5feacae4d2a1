import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import { expose } from '../../src/exposing/expose.ts'
import { createdObjects, requestFor } from '../exposing/exposing.ts'
import { gatewayService, requestForServices, shopMesh } from '../exposing/services/services.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { killedAfter } from '../fakes/killed.ts'

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
