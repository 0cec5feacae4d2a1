/** SessionPool when the path to the API server is dead: packets leave, and no answer comes. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Session } from '../../../src/forwarding/tunnel/session.ts'
import { SessionPool } from '../../../src/forwarding/tunnel/session-pool.ts'
import { FakeKubelet } from '../../fakes/fake-kubelet.ts'
import { FakeTimers, settle } from '../../fakes/fake-timers.ts'

/** Dials that the test answers one by one, or never. */
class Path {
  readonly timers = new FakeTimers()
  readonly dialled: number[] = []
  readonly kubelets: FakeKubelet[] = []
  readonly answers: ((outcome: Session | Error) => void)[] = []
  readonly pool = new SessionPool(async () => {
    this.dialled.push(this.timers.now())
    const outcome = await new Promise<Session | Error>((resolve) => this.answers.push(resolve))
    if (outcome instanceof Error) throw outcome
    return outcome
  }, this.timers)

  /** Answers one dial. */
  async answer(number: number): Promise<void> {
    const kubelet = new FakeKubelet()
    this.kubelets.push(kubelet)
    this.answers[number]?.(new Session(kubelet.upgraded, 3000, this.timers, () => {}))
    await settle()
  }
}

describe('SessionPool when dials are not answered', () => {
  it('dials again at growing intervals while a dial is pending, and takes the first that succeeds', async () => {
    const path = new Path()
    const acquired = path.pool.warm()
    await path.timers.pass(4_000)
    assert.deepEqual(path.dialled, [0, 500, 1_250, 2_375])
    await path.answer(2)
    assert.equal((await acquired).accepts, true)
    await path.timers.pass(60_000)
    assert.deepEqual([path.dialled.length, path.timers.pending], [4, 0])
  })

  it('dials at once for a later connection, at most twice a second', async () => {
    const path = new Path()
    void path.pool.warm()
    await path.timers.pass(10_000)
    const before = path.dialled.length
    for (let count = 0; count < 5; count++) void path.pool.acquire()
    await settle()
    assert.equal(path.dialled.length, before + 1)
    await path.answer(0)
    path.pool.destroy()
  })

  it('has at most eight pending dials', async () => {
    const path = new Path()
    void path.pool.warm()
    await path.timers.pass(600_000)
    assert.equal(path.dialled.length, 8)
    path.answers[0]?.(new Error('timed out'))
    await settle()
    await path.answer(1)
    path.pool.destroy()
    assert.equal(path.timers.pending, 0)
  })

  it('fails with the first failed dial', async () => {
    const path = new Path()
    const acquired = path.pool.warm()
    await path.timers.pass(1_000)
    path.answers[0]?.(new Error('unreachable'))
    await assert.rejects(acquired, { message: 'unreachable' })
    assert.equal(path.timers.pending, 0)
  })

  it('ends later sessions that are not needed', async () => {
    const path = new Path()
    const acquired = path.pool.warm()
    await path.timers.pass(4_000)
    for (const number of [3, 0, 1, 2]) await path.answer(number)
    await acquired
    assert.deepEqual(
      path.kubelets.map(({ ended }) => ended),
      [false, true, true, true],
    )
  })
})

describe('SessionPool when tunnels fall silent', () => {
  it('does not use a doubtful session until it answers', async () => {
    const path = new Path()
    const first = path.pool.warm()
    await path.answer(0)
    const session = await first
    const [kubelet] = path.kubelets
    assert.ok(kubelet)
    kubelet.replies = false
    session.question()
    const next = path.pool.warm()
    await settle()
    assert.equal(path.dialled.length, 2)
    await path.answer(1)
    assert.notEqual(await next, session)
    kubelet.replies = true
    session.question()
    await settle()
    assert.equal(await path.pool.warm(), session)
  })
})
