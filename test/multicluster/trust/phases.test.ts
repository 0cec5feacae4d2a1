/** A change of the root: no proxy ever refuses another one of its cluster, whatever is written, and wherever a run is killed. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'mocha'
import { leadsTo } from '../../../src/certificates/mesh-authority.ts'
import type { Cluster, KubeObject } from '../../../src/cluster/cluster.ts'
import type { TrustWorld } from '../../../src/multicluster/trust/trust-run.ts'
import { untrust } from '../../../src/multicluster/untrust.ts'
import { FakeTerminal } from '../../fakes/fake-terminal.ts'
import { FakeTrustCluster, refusals, selfSigned } from '../../fakes/fake-trust.ts'
import { FakeClock, fakeWorld } from '../../fakes/fake-world.ts'
import { killedAfter } from '../../fakes/killed.ts'
import { connect, REQUEST, rotate, shortKeys } from './trust-world.ts'

const FILES = { root: undefined, cacerts: new Map() }

interface Meshes {
  west: FakeTrustCluster
  east: FakeTrustCluster
  world(west?: Cluster, east?: Cluster): TrustWorld
}

let keys: string[] = []

before(() => {
  keys = shortKeys(3)
})

/** Two restarts never have the same time. */
class TickingClock extends FakeClock {
  override now(): Date {
    void this.sleep(1)
    return super.now()
  }
}

function twoMeshes(): Meshes {
  const [one = '', two = '', leafKey = ''] = keys
  const west = new FakeTrustCluster('west', {
    own: selfSigned(one),
    leafKey,
    workloads: ['istio-system/istio-ingressgateway', 'foo/sleep'],
  })
  const east = new FakeTrustCluster('east', {
    own: selfSigned(two),
    leafKey,
    workloads: ['istio-system/istio-ingressgateway', 'bar/httpbin'],
  })
  let drawn = 0
  // Short keys: node-forge signs slowly.
  const generateKey = async () => keys[drawn++ % keys.length] ?? ''
  const shared = { ...fakeWorld(west, new FakeTerminal()), clock: new TickingClock(), generateKey }
  const clusters: Cluster[] = [west, east]
  return {
    west,
    east,
    world: (first = west, second = east) => ({
      ...shared,
      members: [
        { name: 'west', cluster: first },
        { name: 'east', cluster: second },
      ],
      askInside: async (request, cluster) => (isOf(cluster, first) ? west : east).inside(request),
      readServedChain: async (request, cluster) => (isOf(cluster, first) ? west : east).served(request),
    }),
  }
  function isOf(cluster: Cluster, first: Cluster): boolean {
    return cluster === first || cluster === clusters[0]
  }
}

/** What proxies of a cluster refuse of each other, after any write. */
function watched({ west, east }: Meshes): string[] {
  const seen: string[] = []
  for (const [name, cluster] of [
    ['west', west],
    ['east', east],
  ] as const)
    cluster.onWrite = () => {
      if (cluster.down) seen.push(`${name}: istiod does not start`)
      seen.push(...refusals(cluster, cluster).map((one) => `${name}: ${one}`))
    }
  return seen
}

function snapshot({ west, east }: Meshes): unknown {
  const kept = ({ kind }: KubeObject) => kind !== 'Pod'
  const plain = (object: KubeObject) => {
    const { metadata, ...rest } = object
    const { resourceVersion: _, managedFields: __, ...others } = metadata
    return { ...rest, metadata: others }
  }
  const sorted = (cluster: FakeTrustCluster) =>
    cluster.objects
      .filter(kept)
      .map(plain)
      .toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)))
  return [sorted(west), sorted(east)]
}

describe('a change of the root', () => {
  it('ends with calls in both directions, and refuses nobody on the way', async () => {
    const meshes = twoMeshes()
    const seen = watched(meshes)
    assert.notDeepEqual(refusals(meshes.west, meshes.east), [])
    const result = await connect(REQUEST, meshes.world())
    assert.equal(result.outcome, 'applied')
    assert.deepEqual(
      result.clusters.map(({ name, phase, proxies }) => [name, phase, proxies.total, proxies.trusting]),
      [
        ['west', 'new-signer', 2, 2],
        ['east', 'new-signer', 2, 2],
      ],
    )
    assert.deepEqual([...refusals(meshes.west, meshes.east), ...refusals(meshes.east, meshes.west)], [])
    assert.deepEqual(seen, [])
  })

  it('changes nothing the second time', async () => {
    const meshes = twoMeshes()
    await connect(REQUEST, meshes.world())
    const before = snapshot(meshes)
    meshes.west.writes.length = 0
    assert.equal((await connect(REQUEST, meshes.world())).outcome, 'applied')
    assert.deepEqual(meshes.west.writes, [])
    assert.deepEqual(snapshot(meshes), before)
  })

  it('is finished with one root, which refuses the former one', async () => {
    const meshes = twoMeshes()
    const seen = watched(meshes)
    await connect(REQUEST, meshes.world())
    const result = await connect({ ...REQUEST, finish: true }, meshes.world())
    assert.deepEqual(
      result.clusters.map(({ phase, roots }) => [phase, roots.length]),
      [
        ['finished', 1],
        ['finished', 1],
      ],
    )
    const former = selfSigned(keys[0] ?? '')
    for (const { roots } of meshes.west.proxies.values()) assert.equal(leadsTo([former.certificate], roots), false)
    assert.deepEqual([...refusals(meshes.west, meshes.east), ...seen], [])
  })

  it('is undone without a difference', async () => {
    const meshes = twoMeshes()
    const before = snapshot(meshes)
    const seen = watched(meshes)
    await connect(REQUEST, meshes.world())
    await connect({ ...REQUEST, finish: true }, meshes.world())
    const result = await untrust(REQUEST, meshes.world())
    assert.equal(result.outcome, 'applied')
    assert.deepEqual(snapshot(meshes), before)
    assert.deepEqual(seen, [])
  })

  it('is undone without a difference before it is finished', async () => {
    const meshes = twoMeshes()
    const before = snapshot(meshes)
    const seen = watched(meshes)
    await connect(REQUEST, meshes.world())
    assert.equal((await untrust(REQUEST, meshes.world())).outcome, 'applied')
    assert.deepEqual(snapshot(meshes), before)
    assert.deepEqual(seen, [])
  })

  it('is continued with another root, and refuses nobody', async () => {
    const meshes = twoMeshes()
    await connect(REQUEST, meshes.world())
    await connect({ ...REQUEST, finish: true }, meshes.world())
    const seen = watched(meshes)
    await rotate({ ...REQUEST, ca: false, files: FILES }, meshes.world())
    const result = await rotate({ ...REQUEST, ca: true, files: FILES }, meshes.world())
    assert.deepEqual(
      result.clusters.map(({ phase }) => phase),
      ['new-signer', 'new-signer'],
    )
    await connect({ ...REQUEST, finish: true }, meshes.world())
    assert.deepEqual([...refusals(meshes.west, meshes.east), ...seen], [])
  })
})

/** Runs a command that is killed after each number of writes, until it is not. */
async function killedEverywhere(meshes: Meshes, run: (world: TrustWorld) => Promise<unknown>): Promise<number> {
  for (let writes = 0; ; writes++) {
    const [west, east] = [meshes.west, meshes.east]
    const before = west.writes.length + east.writes.length
    const limit = { west: west.writes.length + writes, east: east.writes.length + writes }
    const world = meshes.world(killedAfter(limit.west, west), killedAfter(limit.east, east))
    try {
      await run(world)
      return writes
    } catch (error) {
      if (!(error instanceof Error && /killed/.test(error.message))) throw error
    }
    assert.ok(west.writes.length + east.writes.length - before <= 2 * writes + 2)
  }
}

describe('a change of the root that is killed after any single write', () => {
  it('is completed by the same command, refuses nobody, and is undone without a difference', async function () {
    this.timeout(120_000)
    const meshes = twoMeshes()
    const before = snapshot(meshes)
    const seen = watched(meshes)
    const steps = {
      connect: (world: TrustWorld) => connect(REQUEST, world),
      finish: (world: TrustWorld) => connect({ ...REQUEST, finish: true }, world),
      rotate: (world: TrustWorld) => rotate({ ...REQUEST, ca: true, files: FILES }, world),
      finished: (world: TrustWorld) => connect({ ...REQUEST, finish: true }, world),
      undo: (world: TrustWorld) => untrust(REQUEST, world),
    }
    for (const [name, run] of Object.entries(steps)) {
      assert.ok((await killedEverywhere(meshes, run)) > 0, name)
      assert.deepEqual(seen, [], name)
    }
    assert.deepEqual(snapshot(meshes), before)
  })
})
