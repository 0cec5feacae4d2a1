import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { EndpointSlice } from '../../src/cluster/objects.ts'
import { UserError } from '../../src/errors.ts'
import { followEndpoints } from '../../src/forwarding/follow-endpoints.ts'
import { type ForwardTarget, PodRoute } from '../../src/forwarding/pod-route.ts'
import { endpoint, FakeWatchCluster, slice } from '../fakes/fake-slices.ts'
import { FakeTimers, settle } from '../fakes/fake-timers.ts'

/** A route that records its pods and lets a test report a recovery. */
class RecordingRoute extends PodRoute {
  readonly updates: string[] = []
  recover = () => {}

  override onRecovery(act: () => void): void {
    this.recover = act
  }

  override update(ready: ForwardTarget[]): void {
    this.updates.push(ready.map(({ pod }) => pod).join(' '))
  }
}

function follow(cluster: FakeWatchCluster, known: EndpointSlice[] = []) {
  const timers = new FakeTimers()
  const ending = new AbortController()
  const lost: string[] = []
  const dial = () => Promise.reject(new Error('no pods'))
  const route = new RecordingRoute({ timers, dial, tell: () => {}, chance: () => 0 })
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
  it("watches the Service's slices and updates the route at once", async () => {
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

  it('uses known pods before the first event, and keeps them until the watch has listed all slices', async () => {
    const known = [slice('a', [endpoint('p')]), slice('b', [endpoint('q')])]
    const cluster = with_()
    const { route, timers, watch } = follow(cluster, known)
    await settle()
    assert.deepEqual(route.updates, ['p q'])
    await timers.pass(1_000)
    watch()?.send('ADDED', slice('a', [endpoint('p')]))
    await timers.pass(20)
    watch()?.send('ADDED', slice('b', [endpoint('q')]))
    await timers.pass(50)
    assert.deepEqual(route.updates, ['p q', 'p q'])
  })

  it('drops known pods that the watch does not report', async () => {
    const { route, timers } = follow(with_(), [slice('a', [endpoint('p')])])
    await timers.pass(4_999)
    assert.deepEqual(route.updates, ['p'])
    await timers.pass(1)
    assert.deepEqual(route.updates, ['p', ''])
  })

  it('restarts the watch over a new connection after a recovery, and reports no loss', async () => {
    const cluster = with_(slice('a', [endpoint('p')]))
    const { route, lost, timers } = follow(cluster)
    await settle()
    route.recover()
    await timers.pass(900)
    assert.deepEqual([cluster.startedWatches, cluster.reconnected], [1, 0], 'not a young one')
    await timers.pass(200)
    cluster.slices = [slice('a', [endpoint('q')])]
    route.recover()
    await timers.pass(200)
    assert.deepEqual([cluster.startedWatches, cluster.reconnected, lost], [2, 1, []])
    assert.deepEqual(route.updates.at(-1), 'q')
  })

  it('ends its pause on a recovery', async () => {
    const cluster = with_(slice('a', [endpoint('p')]))
    const { route, timers, watch } = follow(cluster)
    await settle()
    cluster.refusals.push(...Array.from({ length: 20 }, () => new UserError('CLUSTER_UNREACHABLE', 'gone')))
    watch()?.fail(new Error('broken'))
    await timers.pass(30_000)
    cluster.refusals.length = 0
    const { startedWatches } = cluster
    await timers.pass(1_001)
    if (cluster.startedWatches === startedWatches) route.recover()
    await settle()
    assert.equal(cluster.startedWatches, startedWatches + 1)
  })

  it('reports that there is no pod after a while without events', async () => {
    const { route, timers } = follow(with_())
    await timers.pass(399)
    assert.deepEqual(route.updates, [])
    await timers.pass(1)
    assert.deepEqual(route.updates, [''])
  })

  it('reports it sooner when there are slices without a pod, but not before all have been listed', async () => {
    const cluster = with_(slice('empty', null, null))
    const { route, timers, watch } = follow(cluster)
    await timers.pass(20)
    watch()?.send('ADDED', slice('b', [endpoint('p')]))
    await settle()
    assert.deepEqual(route.updates, ['p'])
    const alone = follow(with_(slice('empty', null, null)))
    await alone.timers.pass(50)
    assert.deepEqual(alone.route.updates, [''])
  })

  it('forgets deleted slices and ignores bookmarks', async () => {
    const cluster = with_(slice('a', [endpoint('p')]), slice('b', [endpoint('q')]))
    const { route, watch } = follow(cluster)
    await settle()
    watch()?.send('BOOKMARK', { apiVersion: '', kind: 'EndpointSlice', metadata: {} } as never)
    watch()?.send('DELETED', slice('a', [endpoint('p')]))
    await settle()
    assert.equal(route.updates.at(-1), 'q')
    assert.equal(route.updates.length, 3)
  })

  it('restarts a watch that has ended: forgets old slices, and keeps the pods until then', async () => {
    const cluster = with_(slice('a', [endpoint('p')]), slice('b', [endpoint('q')]), slice('c', [endpoint('r')]))
    const { route, watch, timers, lost } = follow(cluster)
    await settle()
    const before = route.updates.length
    cluster.slices = [slice('b', [endpoint('q')]), slice('c', [endpoint('r')])]
    watch()?.end()
    await timers.pass(400)
    await timers.pass(50)
    assert.deepEqual([route.updates.slice(before), lost, cluster.startedWatches], [['q r'], [], 2])
  })

  it('restarts a long watch without a pause, because the API server regularly ends watches', async () => {
    const cluster = with_(slice('a', [endpoint('p')]))
    const { watch, timers, lost } = follow(cluster)
    await timers.pass(25_000)
    watch()?.end()
    await settle()
    assert.deepEqual([cluster.startedWatches, lost], [2, []])
    await timers.pass(25_000)
    watch()?.fail(new Error('cut'))
    await settle()
    assert.deepEqual([cluster.startedWatches, lost], [2, ['cut']])
  })

  it('keeps its pods when a new watch is slow', async () => {
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

  it('retries for ever at growing intervals, and reports the loss once', async () => {
    const cluster = with_(slice('a', [endpoint('p')]))
    const { watch, timers, lost, route } = follow(cluster)
    await settle()
    for (let count = 0; count < 12; count++) cluster.refusals.push(new UserError('CLUSTER_UNREACHABLE', 'refused'))
    watch()?.fail(new Error('socket hang up'))
    await timers.pass(12_000)
    assert.deepEqual([lost, cluster.startedWatches], [['socket hang up'], 6])
    await timers.pass(60_000)
    assert.equal(route.updates.at(-1), 'p')
    const working = cluster.startedWatches
    watch()?.fail(new Error('again'))
    await timers.pass(1_000)
    assert.deepEqual([lost, cluster.startedWatches > working], [['socket hang up', 'again'], true])
  })

  it('ends when the first watch is forbidden', async () => {
    const cluster = with_()
    cluster.refusals.push(new UserError('FORBIDDEN', 'may not watch endpointslices'))
    const { state, timers } = follow(cluster)
    await settle()
    assert.deepEqual([state.result, timers.pending], ['may not watch endpointslices', 0])
  })

  it('retries when a later watch is forbidden: permissions and credentials may come back', async () => {
    const cluster = with_(slice('a', [endpoint('p')]))
    const { state, watch, timers, lost } = follow(cluster)
    await settle()
    cluster.refusals.push(new UserError('FORBIDDEN', 'not any more'))
    watch()?.end()
    await timers.pass(10_000)
    assert.deepEqual([state.result, lost, cluster.startedWatches], ['follows', ['not any more'], 3])
  })

  it('retries when the API server cannot be reached at first', async () => {
    const cluster = with_(slice('a', [endpoint('p')]))
    cluster.refusals.push(new UserError('CLUSTER_UNREACHABLE', 'refused'))
    const { route, timers } = follow(cluster)
    await timers.pass(1_000)
    assert.deepEqual(route.updates, ['p'])
  })

  it('ends at once during a pause', async () => {
    const cluster = with_()
    cluster.refusals.push(new Error('a'), new Error('b'), new Error('c'))
    const { timers, ending, state } = follow(cluster)
    await timers.pass(1_000)
    ending.abort()
    await settle()
    assert.deepEqual([state.result, timers.pending], ['ended', 0])
  })
})
