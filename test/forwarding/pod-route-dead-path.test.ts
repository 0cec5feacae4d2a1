/** PodRoute when tunnels fall silent, break, or cannot be opened. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { UserError } from '../../src/errors.ts'
import { PodRoute, type RouteEvent } from '../../src/forwarding/pod-route.ts'
import { Session } from '../../src/forwarding/tunnel/session.ts'
import { FakeKubelet } from '../fakes/fake-kubelet.ts'
import { FakeTimers, settle } from '../fakes/fake-timers.ts'

class World {
  readonly timers = new FakeTimers()
  readonly told: string[] = []
  readonly kubelets: FakeKubelet[] = []
  recovered = 0
  dials = 0
  refusal: Error | undefined
  hangs = false
  readonly route: PodRoute

  constructor() {
    this.route = new PodRoute({
      timers: this.timers,
      chance: () => 1,
      tell: (event: RouteEvent) => this.told.push(event.event),
      dial: async ({ port }, closed) => {
        this.dials++
        if (this.hangs) await new Promise(() => {})
        if (this.refusal !== undefined) throw this.refusal
        const kubelet = new FakeKubelet()
        this.kubelets.push(kubelet)
        return new Session(kubelet.upgraded, port, this.timers, closed)
      },
    })
    this.route.onRecovery(() => {
      this.recovered++
    })
    this.route.update([{ pod: 'p', port: 3000 }])
  }

  acquire(wait = 10_000) {
    return this.route.acquire(this.timers.now() + wait)
  }
}

function open(session: Session | undefined, told: string[] = []) {
  session?.open({
    data: () => true,
    drain: () => {},
    end: () => {},
    silent: () => told.push('silent'),
    leave: () => told.push('leave'),
    fail: (_, how) => told.push(how),
  })
}

describe('PodRoute when tunnels fall silent', () => {
  it('trusts no tunnel until it answers, and reports the recovery once a new one is open', async () => {
    const world = new World()
    const told: string[] = []
    open(await world.acquire(), told)
    await settle()
    assert.equal(world.kubelets.length, 2, 'one and a spare')
    for (const kubelet of world.kubelets) kubelet.replies = false
    world.route.doubt()
    open(await world.acquire())
    assert.equal(world.recovered, 1)
    assert.ok(world.kubelets.length > 2)
    await world.timers.pass(600)
    assert.deepEqual(told, ['silent'])
  })

  it('replaces a broken tunnel before the next client needs it', async () => {
    const world = new World()
    await settle()
    assert.deepEqual([world.dials, world.recovered], [1, 0])
    world.kubelets[0]?.drop()
    await settle()
    assert.deepEqual([world.dials, world.recovered, world.told], [2, 1, ['connected']])
  })

  it('does not replace a tunnel that ends because its pod terminates', async () => {
    const world = new World()
    await settle()
    world.route.update([])
    await settle()
    assert.deepEqual([world.kubelets[0]?.ended, world.dials, world.recovered], [true, 1, 0])
  })
})

describe('PodRoute when pods cannot be reached', () => {
  it('gives up when the client does, though the dial takes longer', async () => {
    const world = new World()
    world.hangs = true
    world.kubelets[0]?.drop()
    await settle()
    let result: unknown = 'pending'
    void world.acquire(1_000).then((session) => {
      result = session
    })
    await world.timers.pass(999)
    assert.equal(result, 'pending')
    await world.timers.pass(1)
    assert.equal(result, undefined)
    world.route.close()
    assert.equal(world.timers.pending, 0)
  })

  it('reports the reason until pods can be reached again', async () => {
    const world = new World()
    await settle()
    assert.equal(world.route.trouble, '')
    world.refusal = new Error('API server gone')
    world.kubelets[0]?.drop()
    await settle()
    assert.equal(world.route.trouble, 'API server gone')
    world.refusal = undefined
    await world.timers.pass(5_000)
    assert.deepEqual([world.route.trouble, world.recovered], ['', 1])
  })

  it('wakes all waiting connections when one of them gets through', async () => {
    const world = new World()
    await settle()
    world.refusal = new Error('API server gone')
    world.kubelets[0]?.drop()
    const early = world.acquire(30_000)
    await world.timers.pass(10_050)
    world.refusal = undefined
    const started = world.timers.now()
    await world.acquire()
    assert.ok(await early)
    assert.equal(world.timers.now(), started)
    world.route.close()
  })

  it('reports a recovery when a pod is missing that the watch still reports', async () => {
    const world = new World()
    await settle()
    world.refusal = new UserError('NOT_FOUND', 'no pod p')
    world.kubelets[0]?.drop()
    await settle()
    assert.equal(world.recovered, 0, 'the watch may report it soon')
    await world.timers.pass(100)
    assert.deepEqual([world.recovered, world.told], [1, ['connected']])
    world.route.close()
  })
})
