import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { EndpointSlice } from '../../src/cluster/objects.ts'
import { UserError } from '../../src/errors.ts'
import { followEndpoints } from '../../src/forwarding/follow-endpoints.ts'
import { type ForwardTarget, PodRoute } from '../../src/forwarding/pod-route.ts'
import { endpoint, FakeWatchCluster, slice } from '../fakes/fake-slices.ts'
import { FakeTimers, settle } from '../fakes/fake-timers.ts'

/** A route that notes where it is led. */
class NotedRoute extends PodRoute {
  readonly updates: string[] = []

  override update(ready: ForwardTarget[]): void {
    this.updates.push(ready.map(({ pod }) => pod).join(' '))
  }
}

function follow(cluster: FakeWatchCluster, known: EndpointSlice[] = []) {
  const timers = new FakeTimers()
  const ending = new AbortController()
  const lost: string[] = []
  const dial = () => Promise.reject(new Error('no pods'))
  const route = new NotedRoute({ timers, dial, tell: () => {}, chance: () => 0 })
  const following = { cluster, timers, signal: ending.signal, chance: () => 1, lost: (why: string) => lost.push(why) }
  const followed = { namespace: 'default', service: 'shop', portName: '', slices: known }
  const state = { result: 'follows' }
  void followEndpoints(followed, route, following).then(
    () => {
      state.result = 'ended'
    },
    (error: Error) => {
      state.result = error.message
    },
  )
  return { timers, ending, lost, route, state, watch: () => cluster.watches.at(-1) }
}

const with_ = (...slices: EndpointSlice[]) => {
  const cluster = new FakeWatchCluster([])
  cluster.slices = slices
  return cluster
}

describe('followEndpoints', () => {
  it("watches the Service's slices, and leads to their pods at once", async () => {
    const cluster = with_(slice('a', [endpoint('p')]))
    const { route, ending, state, timers } = follow(cluster)
    await settle()
    assert.deepEqual(route.updates, ['p'])
    const [{ namespace, labels } = { namespace: '', labels: '' }] = cluster.asked
    assert.deepEqual([namespace, labels], ['default', 'kubernetes.io/service-name=shop'])
    cluster.change(slice('a', [endpoint('p', { ready: true, terminating: true }), endpoint('q')]))
    await settle()
    assert.deepEqual(route.updates, ['p', 'q'])
    ending.abort()
    await settle()
    assert.deepEqual([state.result, timers.pending, cluster.watches.length], ['ended', 0, 0])
  })

  it('leads to pods that are known before the watch has said anything, and keeps them until it has said all', async () => {
    const known = [slice('a', [endpoint('p')]), slice('b', [endpoint('q')])]
    const cluster = with_()
    const { route, timers, watch } = follow(cluster, known)
    await settle()
    assert.deepEqual(route.updates, ['p q'])
    await timers.pass(1_000)
    watch()?.say('ADDED', slice('a', [endpoint('p')]))
    await timers.pass(20)
    watch()?.say('ADDED', slice('b', [endpoint('q')]))
    await timers.pass(50)
    assert.deepEqual(route.updates, ['p q', 'p q'])
  })

  it('takes the word of the watch that known pods are gone', async () => {
    const { route, timers } = follow(with_(), [slice('a', [endpoint('p')])])
    await timers.pass(4_999)
    assert.deepEqual(route.updates, ['p'])
    await timers.pass(1)
    assert.deepEqual(route.updates, ['p', ''])
  })

  it('begins the watch anew over another connection when tunnels have recovered, and says nothing', async () => {
    const cluster = with_(slice('a', [endpoint('p')]))
    const { route, lost, timers } = follow(cluster)
    await settle()
    route.recovered()
    await timers.pass(900)
    assert.deepEqual([cluster.begun, cluster.reconnected], [1, 0], 'not a young one')
    await timers.pass(200)
    cluster.slices = [slice('a', [endpoint('q')])]
    route.recovered()
    await timers.pass(200)
    assert.deepEqual([cluster.begun, cluster.reconnected, lost], [2, 1, []])
    assert.deepEqual(route.updates.at(-1), 'q')
  })

  it('does not wait for its pause when tunnels have recovered', async () => {
    const cluster = with_(slice('a', [endpoint('p')]))
    const { route, timers, watch } = follow(cluster)
    await settle()
    cluster.refusals.push(...Array.from({ length: 20 }, () => new UserError('CLUSTER_UNREACHABLE', 'gone')))
    watch()?.fail(new Error('broken'))
    await timers.pass(30_000)
    cluster.refusals.length = 0
    const { begun } = cluster
    await timers.pass(1_001)
    if (cluster.begun === begun) route.recovered()
    await settle()
    assert.equal(cluster.begun, begun + 1)
  })

  it('says that there is no pod when nothing comes, after a while', async () => {
    const { route, timers } = follow(with_())
    await timers.pass(399)
    assert.deepEqual(route.updates, [])
    await timers.pass(1)
    assert.deepEqual(route.updates, [''])
  })

  it('says so sooner when there are slices without a pod, and not before all have come', async () => {
    const cluster = with_(slice('empty', null, null))
    const { route, timers, watch } = follow(cluster)
    await timers.pass(20)
    watch()?.say('ADDED', slice('b', [endpoint('p')]))
    await settle()
    assert.deepEqual(route.updates, ['p'])
    const alone = follow(with_(slice('empty', null, null)))
    await alone.timers.pass(50)
    assert.deepEqual(alone.route.updates, [''])
  })

  it('forgets slices that are deleted, and passes bookmarks over', async () => {
    const cluster = with_(slice('a', [endpoint('p')]), slice('b', [endpoint('q')]))
    const { route, watch } = follow(cluster)
    await settle()
    watch()?.say('BOOKMARK', { apiVersion: '', kind: 'EndpointSlice', metadata: {} } as never)
    watch()?.say('DELETED', slice('a', [endpoint('p')]))
    await settle()
    assert.equal(route.updates.at(-1), 'q')
    assert.equal(route.updates.length, 3)
  })

  it('begins anew when the watch ends: stale slices are forgotten, pods that are there are not left meanwhile', async () => {
    const cluster = with_(slice('a', [endpoint('p')]), slice('b', [endpoint('q')]), slice('c', [endpoint('r')]))
    const { route, watch, timers, lost } = follow(cluster)
    await settle()
    const before = route.updates.length
    cluster.slices = [slice('b', [endpoint('q')]), slice('c', [endpoint('r')])]
    watch()?.end()
    await timers.pass(400)
    await timers.pass(50)
    assert.deepEqual([route.updates.slice(before), lost, cluster.begun], [['q r'], [], 2])
  })

  it('begins anew without a pause when a watch has lasted: the API server ends each one day', async () => {
    const cluster = with_(slice('a', [endpoint('p')]))
    const { watch, timers, lost } = follow(cluster)
    await timers.pass(25_000)
    watch()?.end()
    await settle()
    assert.deepEqual([cluster.begun, lost], [2, []])
    await timers.pass(25_000)
    watch()?.fail(new Error('cut'))
    await settle()
    assert.deepEqual([cluster.begun, lost], [2, ['cut']])
  })

  it('does not leave its pods because a new watch is slow to say something', async () => {
    const cluster = with_(slice('a', [endpoint('p')]))
    const { route, watch, timers } = follow(cluster)
    await settle()
    cluster.slices = []
    watch()?.end()
    await timers.pass(4_000)
    assert.deepEqual(route.updates, ['p'])
    await timers.pass(2_000)
    assert.deepEqual(route.updates, ['p', ''])
  })

  it('tries again for ever, ever more seldom, and says once that it is lost', async () => {
    const cluster = with_(slice('a', [endpoint('p')]))
    const { watch, timers, lost, route } = follow(cluster)
    await settle()
    for (let count = 0; count < 12; count++) cluster.refusals.push(new UserError('CLUSTER_UNREACHABLE', 'refused'))
    watch()?.fail(new Error('socket hang up'))
    await timers.pass(12_000)
    assert.deepEqual([lost, cluster.begun], [['socket hang up'], 6])
    await timers.pass(60_000)
    assert.equal(route.updates.at(-1), 'p')
    const working = cluster.begun
    watch()?.fail(new Error('again'))
    await timers.pass(1_000)
    assert.deepEqual([lost, cluster.begun > working], [['socket hang up', 'again'], true])
  })

  it('ends when what it asks for first is not allowed', async () => {
    const cluster = with_()
    cluster.refusals.push(new UserError('FORBIDDEN', 'may not watch endpointslices'))
    const { state, timers } = follow(cluster)
    await settle()
    assert.deepEqual([state.result, timers.pending], ['may not watch endpointslices', 0])
  })

  it('goes on when it is not allowed later: rights and credentials come back', async () => {
    const cluster = with_(slice('a', [endpoint('p')]))
    const { state, watch, timers, lost } = follow(cluster)
    await settle()
    cluster.refusals.push(new UserError('FORBIDDEN', 'not any more'))
    watch()?.end()
    await timers.pass(10_000)
    assert.deepEqual([state.result, lost, cluster.begun], ['follows', ['not any more'], 3])
  })

  it('goes on when the first try finds no API server', async () => {
    const cluster = with_(slice('a', [endpoint('p')]))
    cluster.refusals.push(new UserError('CLUSTER_UNREACHABLE', 'refused'))
    const { route, timers } = follow(cluster)
    await timers.pass(1_000)
    assert.deepEqual(route.updates, ['p'])
  })

  it('ends at once in the middle of a pause', async () => {
    const cluster = with_()
    cluster.refusals.push(new Error('a'), new Error('b'), new Error('c'))
    const { timers, ending, state } = follow(cluster)
    await timers.pass(1_000)
    ending.abort()
    await settle()
    assert.deepEqual([state.result, timers.pending], ['ended', 0])
  })
})
