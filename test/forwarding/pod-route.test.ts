import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { UserError } from '../../src/errors.ts'
import { type ForwardTarget, PodRoute, type RouteEvent } from '../../src/forwarding/pod-route.ts'
import { Session } from '../../src/forwarding/tunnel/session.ts'
import type { Stream } from '../../src/forwarding/tunnel/stream-pair.ts'
import { FakeKubelet, kubeletFrame } from '../fakes/fake-kubelet.ts'
import { FakeTimers, settle } from '../fakes/fake-timers.ts'

class Route {
  readonly timers = new FakeTimers()
  readonly told: string[] = []
  readonly dialled: string[] = []
  readonly kubelets: FakeKubelet[] = []
  readonly refusals = new Map<string, Error>()
  readonly route: PodRoute
  chance = 1
  hold: Promise<void> | undefined

  constructor(...pods: string[]) {
    this.route = new PodRoute({
      timers: this.timers,
      chance: () => this.chance,
      tell: (event) => this.told.push(line(event)),
      dial: async (target, closed) => {
        this.dialled.push(`${target.pod}:${target.port}`)
        await this.hold
        const refusal = this.refusals.get(target.pod)
        if (refusal !== undefined) throw refusal
        const kubelet = new FakeKubelet()
        this.kubelets.push(kubelet)
        return new Session(kubelet.upgraded, target.port, this.timers, closed)
      },
    })
    if (pods.length > 0) this.route.update(targets(...pods))
  }

  async acquire(wait = 10_000): Promise<Session> {
    const session = await this.route.acquire(this.timers.now() + wait)
    assert.ok(session)
    return session
  }
}

const targets = (...pods: string[]): ForwardTarget[] => pods.map((pod) => ({ pod, port: 3000 }))
const line = (event: RouteEvent) =>
  event.event === 'connected' ? `connected ${event.pod}` : event.event === 'lost' ? `lost ${event.reason}` : event.event

function open(session: Session, told: string[] = []): Stream {
  return session.open({
    data: (bytes) => told.push(String(bytes)) > 0,
    drain: () => {},
    end: () => told.push('end'),
    silent: () => told.push('silent'),
    leave: () => told.push('leave'),
    fail: (_reason, how) => told.push(how),
  })
}

describe('PodRoute', () => {
  it('opens a tunnel before a client needs it, and reports it once', async () => {
    const world = new Route('p')
    await settle()
    assert.deepEqual([world.dialled, world.told], [['p:3000'], ['connected p']])
    for (let count = 0; count < 5; count++) open(await world.acquire())
    world.route.update(targets('p'))
    await settle()
    assert.deepEqual(world.told, ['connected p'])
  })

  it('switches to the next Ready pod when one terminates; its open connections end normally', async () => {
    const world = new Route('p')
    const told: string[] = []
    const session = await world.acquire()
    const stream = open(session, told)
    world.route.update([])
    await settle()
    assert.deepEqual([session.accepts, told, world.kubelets[0]?.ended], [false, [], false])
    const waiting = world.acquire()
    await world.timers.pass(5_000)
    world.route.update(targets('q'))
    const next = await waiting
    world.kubelets[0]?.send(kubeletFrame.data(3, 'last words'))
    await settle()
    assert.ok(next !== session && told[0] === 'last words')
    // Connections without an answer may move to the next pod.
    await world.timers.pass(999)
    assert.deepEqual(told, ['last words'])
    await world.timers.pass(1)
    assert.deepEqual(told, ['last words', 'leave'])
    stream.close()
    await settle()
    assert.equal(world.kubelets[0]?.ended, true)
    assert.deepEqual(world.told, ['connected p', 'waiting', 'connected q'])
    assert.equal(world.timers.pending, 0)
  })

  it('switches at once to a pod that is already Ready', async () => {
    const world = new Route('p', 'q')
    open(await world.acquire())
    world.route.update(targets('q'))
    await world.acquire(0)
    assert.deepEqual(world.told, ['connected p', 'connected q'])
  })

  it('keeps its pod when others come or the order changes', async () => {
    const world = new Route('p')
    open(await world.acquire())
    world.route.update(targets('q', 'p'))
    open(await world.acquire())
    await settle()
    assert.deepEqual([...new Set(world.dialled)], ['p:3000'])
    assert.deepEqual(world.told, ['connected p'])
  })

  it("dials again when the pod's port changes", async () => {
    const world = new Route('p')
    await world.acquire()
    world.route.update([{ pod: 'p', port: 4000 }])
    await world.acquire()
    assert.equal(world.dialled.at(-1), 'p:4000')
  })

  it('waits until the deadline when no pod is Ready, and leaves no timer behind', async () => {
    const world = new Route()
    world.route.update([])
    let result: unknown = 'pending'
    void world.route.acquire(1_000).then((session) => {
      result = session
    })
    await world.timers.pass(999)
    assert.equal(result, 'pending')
    await world.timers.pass(1)
    assert.deepEqual([result, world.timers.pending, world.told], [undefined, 0, ['waiting']])
  })

  it('forgets a client that has gone away', async () => {
    const world = new Route()
    const gone = new AbortController()
    const acquired = world.route.acquire(1_000_000, gone.signal)
    await settle()
    assert.equal(world.timers.pending, 1)
    gone.abort()
    assert.equal(await acquired, undefined)
    assert.equal(world.timers.pending, 0)
  })

  it('can wait for weeks', async () => {
    const world = new Route()
    const acquired = world.route.acquire(3_000_000_000)
    await world.timers.pass(2 ** 31 - 2)
    world.route.update(targets('p'))
    assert.ok(await acquired)
  })

  it('tries the next pod when a pod cannot be reached', async () => {
    const world = new Route()
    world.refusals.set('p', new Error('no route to node'))
    world.route.update(targets('p', 'q'))
    const acquired = world.acquire()
    await world.timers.pass(200)
    open(await acquired)
    assert.deepEqual(world.told, ['lost no route to node', 'connected q'])
    open(await world.acquire())
    assert.equal(world.dialled.filter((name) => name === 'p:3000').length, 1, 'and stays there')
  })

  it('retries for ever at growing intervals with jitter, and reports it once', async () => {
    const world = new Route()
    world.refusals.set('p', new Error('API server gone'))
    world.route.update(targets('p'))
    const at: number[] = []
    for (let count = 0; count < 60_000; count += 50) {
      if (world.dialled.length > at.length) at.push(world.timers.now())
      await world.timers.pass(50)
    }
    assert.deepEqual(at.slice(0, 8), [0, 100, 300, 700, 1_500, 3_100, 6_300, 11_300])
    assert.ok(at.length > 14)
    assert.deepEqual(world.told, ['lost API server gone'])
    world.refusals.clear()
    await world.timers.pass(5_000)
    assert.deepEqual(world.told, ['lost API server gone', 'connected p'])
  })

  it('shortens its pauses by up to half at random', async () => {
    const world = new Route()
    world.chance = 0
    world.refusals.set('p', new Error('gone'))
    world.route.update(targets('p'))
    await world.timers.pass(50)
    assert.equal(world.dialled.length, 2)
  })

  it('ends its pause when the pods change', async () => {
    const world = new Route()
    world.refusals.set('p', new Error('gone'))
    world.route.update(targets('p'))
    await world.timers.pass(60_000)
    const acquired = world.acquire()
    world.route.update(targets('q'))
    await settle()
    assert.equal((await acquired).accepts, true)
  })

  it('does not report a pod that is gone before the watch reports it', async () => {
    const world = new Route()
    world.refusals.set('p', new UserError('NOT_FOUND', 'pods "p" not found'))
    world.route.update(targets('p'))
    await settle()
    world.route.update(targets('q'))
    await settle()
    assert.deepEqual(world.told, ['connected q'])
  })

  it('does not hand out a tunnel whose pod went away while it was opened', async () => {
    const world = new Route()
    let go = () => {}
    world.hold = new Promise((resolve) => {
      go = resolve
    })
    world.route.update(targets('p'))
    const acquired = world.acquire()
    await settle()
    world.route.update(targets('q'))
    world.hold = undefined
    go()
    assert.equal((await acquired).accepts, true)
    await settle()
    assert.deepEqual([world.told, world.kubelets[0]?.ended || world.kubelets[1]?.ended], [['connected q'], true])
  })

  it('opens another session after distrust()', async () => {
    const world = new Route('p')
    const session = await world.acquire()
    open(session)
    world.route.distrust(session)
    assert.notEqual(await world.acquire(), session)
    assert.equal(session.load, 1, 'what is in it goes on')
  })

  it('keeps tunnels to former pods alive while they have connections', async () => {
    const world = new Route('p')
    const told: string[] = []
    open(await world.acquire(), told)
    await settle()
    world.route.update([])
    await settle()
    const kubelet = world.kubelets[0]
    assert.ok(kubelet)
    kubelet.replies = false
    world.route.beat()
    await settle()
    assert.ok(kubelet.received.some(({ frame }) => frame === 'ping'))
    world.route.beat()
    await settle()
    assert.deepEqual(told, ['lost'], 'a dead peer is found')
  })

  it('close() ends all tunnels, pending dials and waiting clients at once', async () => {
    const world = new Route('p')
    const told: string[] = []
    open(await world.acquire(), told)
    await settle()
    world.route.update([])
    const waiting = world.route.acquire(1_000_000)
    let go = () => {}
    world.hold = new Promise((resolve) => {
      go = resolve
    })
    world.route.update(targets('q'))
    await settle()
    world.route.close()
    go()
    assert.equal(await waiting, undefined)
    world.route.update(targets('r'))
    await settle()
    assert.ok(world.kubelets.every(({ upgraded }) => upgraded.socket.destroyed))
    assert.deepEqual([told, world.timers.pending], [['lost'], 0])
    assert.deepEqual(world.told, ['connected p', 'waiting'], 'nothing is said after the end')
  })
})
