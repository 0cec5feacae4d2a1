import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Session } from '../../../src/forwarding/tunnel/session.ts'
import { SessionPool } from '../../../src/forwarding/tunnel/session-pool.ts'
import type { Stream } from '../../../src/forwarding/tunnel/stream-pair.ts'
import { FakeKubelet, kubeletFrame } from '../../fakes/fake-kubelet.ts'
import { FakeTimers, settle } from '../../fakes/fake-timers.ts'

/** A pool whose dials wait until the test lets them succeed or fail. */
class Dials {
  readonly kubelets: FakeKubelet[] = []
  waits = false
  failures = 0
  readonly timers = new FakeTimers()
  readonly #held: (() => void)[] = []
  readonly pool = new SessionPool(async (closed) => {
    const kubelet = new FakeKubelet()
    this.kubelets.push(kubelet)
    if (this.waits) await new Promise<void>((resolve) => this.#held.push(resolve))
    if (this.failures-- > 0) throw new Error('refused')
    return new Session(kubelet.upgraded, 3000, this.timers, closed)
  }, this.timers)

  get count(): number {
    return this.kubelets.length
  }

  async let(): Promise<void> {
    for (const go of this.#held.splice(0)) go()
    await settle()
  }
}

function open(session: Session, room = true): Stream {
  return session.open({
    data: () => room,
    drain: () => {},
    end: () => {},
    silent: () => {},
    leave: () => {},
    fail: () => {},
  })
}

/** A connection that does not read. */
async function block(dials: Dials, number: number): Promise<void> {
  const session = await dials.pool.acquire()
  open(session, false)
  dials.kubelets[number]?.send(kubeletFrame.data(3, 'x'))
  await settle()
  assert.equal(session.blocked, true)
}

describe('SessionPool', () => {
  it('opens a spare session beside the first connection', async () => {
    const dials = new Dials()
    const first = await dials.pool.acquire()
    open(first)
    await settle()
    assert.equal(dials.count, 2)
    const second = await dials.pool.acquire()
    assert.notEqual(second, first)
    assert.equal(second.load, 0)
  })

  it('uses the warmed session for the first connection', async () => {
    const dials = new Dials()
    const warm = await dials.pool.warm()
    assert.equal(await dials.pool.warm(), warm)
    await settle()
    assert.equal(dials.count, 1)
    assert.equal(await dials.pool.acquire(), warm)
  })

  it('keeps one spare session, not one for each connection', async () => {
    const dials = new Dials()
    for (let connection = 0; connection < 5; connection++) {
      const session = await dials.pool.acquire()
      const stream = open(session)
      await settle()
      stream.close()
    }
    assert.equal(dials.count, 2)
  })

  it('spreads connections over at most 8, evenly', async () => {
    const dials = new Dials()
    const loads = new Map<Session, number>()
    for (let connection = 0; connection < 32; connection++) {
      const session = await dials.pool.acquire()
      open(session)
      await settle()
      loads.set(session, session.load)
    }
    assert.equal(dials.count, 8)
    assert.deepEqual([...loads.values()], Array(8).fill(4))
  })

  it('dials eight times, not 200 times, for 200 connections at once', async () => {
    const dials = new Dials()
    dials.waits = true
    const acquired = Array.from({ length: 200 }, () => dials.pool.acquire())
    await settle()
    assert.equal(dials.count, 1)
    await dials.let()
    assert.equal(dials.count, 8)
    await dials.let()
    const sessions = await Promise.all(acquired)
    assert.equal(new Set(sessions).size, 8)
    for (const session of sessions) open(session)
    await settle()
    assert.equal(dials.count, 8)
  })

  it('gives two simultaneous connections a session each, and shares when that takes too long', async () => {
    const dials = new Dials()
    const warm = await dials.pool.warm()
    const both = [dials.pool.acquire(), dials.pool.acquire()]
    const [first, second] = await Promise.all(both)
    assert.ok(first === warm && second !== warm)
    for (const session of [first, second]) if (session) open(session)
    await settle()
    dials.waits = true
    open(await dials.pool.acquire())
    const late: Session[] = []
    void dials.pool.acquire().then((session) => late.push(session))
    await dials.timers.pass(4_999)
    assert.equal(late.length, 0)
    await dials.timers.pass(1)
    assert.equal(late[0]?.load, 1, 'shared')
  })

  it('does not share with a slow reader while another session is being opened', async () => {
    const dials = new Dials()
    await dials.pool.warm()
    dials.waits = true
    await block(dials, 0)
    const late: Session[] = []
    void dials.pool.acquire().then((session) => late.push(session))
    await dials.timers.pass(8_000)
    assert.equal(late.length, 0)
    await dials.let()
    assert.equal(late[0]?.blocked, false)
  })

  it('gives two connections that waited for one session a session each when silent ones answer in the meantime', async () => {
    const dials = new Dials()
    const eight = await Promise.all(Array.from({ length: 8 }, () => dials.pool.acquire()))
    assert.equal(new Set(eight).size, 8)
    for (const kubelet of dials.kubelets) kubelet.replies = false
    for (const session of eight) session.question()
    dials.waits = true
    const both = [dials.pool.acquire(), dials.pool.acquire()]
    await settle()
    assert.equal(dials.count, 9)
    for (const kubelet of dials.kubelets.slice(0, 8)) kubelet.send(kubeletFrame.ping(2))
    await settle()
    assert.deepEqual([...new Set(eight.map(({ doubtful }) => doubtful))], [false])
    await dials.let()
    const [first, second] = await Promise.all(both)
    assert.notEqual(first, second)
  })

  it('separates two simultaneous connections, even when all other sessions have many', async () => {
    const dials = new Dials()
    const many: { session: Session; stream: Stream }[] = []
    for (let connection = 0; connection < 32; connection++) {
      const session = await dials.pool.acquire()
      many.push({ session, stream: open(session) })
      await settle()
    }
    const empty = many[0]?.session
    for (const { session, stream } of many) if (session === empty) stream.close()
    const next: Session[] = []
    for (let connection = 0; connection < 8; connection++) {
      const session = await dials.pool.acquire()
      next.push(session)
      open(session)
    }
    assert.equal(next[0], empty)
    assert.equal(new Set(next).size, 8)
  })

  it('avoids a session whose slow reader has just read something', async () => {
    const dials = new Dials()
    const slow = await dials.pool.acquire()
    const stream = open(slow, false)
    for (let connection = 1; connection < 8; connection++) open(await dials.pool.acquire())
    dials.kubelets[0]?.send(kubeletFrame.data(3, 'x'))
    await settle()
    stream.resumed()
    assert.deepEqual([dials.count, slow.blocked, slow.slow], [8, false, true])
    const others = await Promise.all(Array.from({ length: 8 }, () => dials.pool.acquire()))
    assert.equal(others.includes(slow), false)
    await dials.timers.pass(1_000)
    assert.equal(slow.slow, false)
  })

  it('opens another session instead of waiting behind a slow reader', async () => {
    const dials = new Dials()
    dials.waits = true
    const blocking = block(dials, 0)
    await settle()
    await dials.let()
    await blocking
    assert.equal(dials.count, 2)
    const acquired = dials.pool.acquire()
    await dials.let()
    assert.equal((await acquired).blocked, false)
  })

  it('takes the blocked session with the fewest connections when all 8 are blocked', async () => {
    const dials = new Dials()
    for (let number = 0; number < 8; number++) await block(dials, number)
    const session = await dials.pool.acquire()
    assert.deepEqual([session.blocked, session.load, dials.count], [true, 1, 8])
  })

  it('prefers an unblocked session with many connections to a blocked one with few', async () => {
    const dials = new Dials()
    for (let number = 0; number < 7; number++) await block(dials, number)
    const last = await dials.pool.acquire()
    for (let connection = 0; connection < 10; connection++) open(last)
    await settle()
    assert.equal(await dials.pool.acquire(), last)
  })

  it('does not count failed dials', async () => {
    const dials = new Dials()
    dials.failures = 20
    for (let attempt = 0; attempt < 20; attempt++) await assert.rejects(dials.pool.acquire(), /refused/)
    for (let connection = 0; connection < 10; connection++) {
      open(await dials.pool.acquire())
      await settle()
    }
    assert.equal(dials.count, 28)
  })

  it('works when the spare session cannot be opened', async () => {
    const dials = new Dials()
    const first = await dials.pool.warm()
    dials.failures = 1
    open(await dials.pool.acquire())
    await settle()
    assert.deepEqual([dials.count, await dials.pool.acquire()], [2, first])
  })

  it('forgets lost sessions', async () => {
    const dials = new Dials()
    for (let round = 0; round < 20; round++) {
      const session = await dials.pool.warm()
      dials.kubelets.at(-1)?.drop()
      await settle()
      assert.equal(session.accepts, false)
    }
    assert.equal(dials.count, 20)
  })

  it('forgets a session that is lost while it is opened', async () => {
    const dials = new Dials()
    const pool = new SessionPool(async (closed) => {
      const session = new Session(new FakeKubelet().upgraded, 1, new FakeTimers(), closed)
      if (dials.failures-- > 0) {
        session.destroy()
        await settle()
      }
      return session
    }, dials.timers)
    dials.failures = 10
    for (let round = 0; round < 10; round++) assert.equal((await pool.acquire()).accepts, false)
    await settle()
    assert.equal((await pool.acquire()).accepts, true)
  })

  it('does not count retired sessions with long connections', async () => {
    const dials = new Dials()
    for (let number = 0; number < 12; number++) {
      const session = await dials.pool.acquire()
      open(session)
      session.retire()
      await settle()
    }
    const session = await dials.pool.acquire()
    open(session)
    await settle()
    assert.notEqual(await dials.pool.acquire(), session, 'there is a spare one still')
  })

  it('retires: takes no more connections, and ends each session with its last one', async () => {
    const dials = new Dials()
    const session = await dials.pool.acquire()
    const stream = open(session)
    await settle()
    dials.pool.retire()
    await settle()
    assert.deepEqual(
      dials.kubelets.map(({ ended }) => ended),
      [false, true],
    )
    stream.close()
    await settle()
    assert.deepEqual([dials.kubelets.map(({ ended }) => ended), dials.count], [[true, true], 2])
  })

  for (const how of ['retire', 'destroy'] as const) {
    it(`${how}s a session that is still being opened`, async () => {
      const dials = new Dials()
      dials.waits = true
      const acquired = dials.pool.acquire()
      await settle()
      dials.pool[how]()
      await dials.let()
      assert.equal((await acquired).accepts, false)
      await settle()
      assert.deepEqual([dials.kubelets[0]?.upgraded.socket.destroyed, dials.count], [true, 1])
    })
  }

  it('destroys all sessions at once', async () => {
    const dials = new Dials()
    const session = await dials.pool.acquire()
    open(session)
    await settle()
    dials.pool.destroy()
    await settle()
    assert.deepEqual([session.load, dials.kubelets.every(({ upgraded }) => upgraded.socket.destroyed)], [0, true])
  })
})
