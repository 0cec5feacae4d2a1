import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { UserError } from '../../src/errors.ts'
import { dueAt } from '../../src/traffic/limits.ts'
import { type Progress, type Run, type RunOutcome, runTraffic } from '../../src/traffic/run.ts'
import { type Answer, FakeSender } from '../fakes/fake-sender.ts'
import { FakeTimers } from '../fakes/fake-timers.ts'
import { seeded } from '../fakes/random.ts'

const RUN: Run = { requests: 100, rate: 20, concurrency: 4, paths: ['/'], maxErrors: 0.1 }

interface Ran {
  outcome: RunOutcome
  sender: FakeSender
  timers: FakeTimers
  progress: Progress[]
}

/** @param interruptAt milliseconds */
async function ran(changes: Partial<Run>, answer?: (index: number) => Answer, interruptAt?: number): Promise<Ran> {
  const timers = new FakeTimers()
  const sender = new FakeSender(timers, answer)
  const ending = new AbortController()
  const progress: Progress[] = []
  const run = { ...RUN, ...changes }
  if (interruptAt !== undefined) timers.after(interruptAt, () => ending.abort())
  const running = runTraffic(run, {
    sender,
    timers,
    signal: ending.signal,
    progress: (state) => progress.push(state),
  })
  await timers.pass(dueAt(run.requests, run) + 40_000)
  return { outcome: await running, sender, timers, progress }
}

const latencyOf = ({ outcome: { tally } }: Ran) => tally.latency() ?? { p50: 0, p90: 0, p99: 0, max: 0 }

describe('a run of requests', () => {
  it('sends each when it is due, and leaves nothing behind', async () => {
    const { outcome, sender, timers } = await ran({})
    assert.deepEqual(
      sender.asked.map(({ at }) => at),
      Array.from({ length: 100 }, (_, index) => index * 50),
    )
    assert.deepEqual(
      [outcome.end, outcome.sent, outcome.tally.done, outcome.milliseconds],
      ['completed', 100, 100, 4_955],
    )
    assert.deepEqual([sender.closed, timers.pending], [1, 0])
  })

  it('never sends early, never too many at once, and each path in turn, whatever the latencies are', async () => {
    const random = seeded(1)
    for (let round = 0; round < 15; round++) {
      const changes = {
        requests: 1 + Math.floor(random() * 150),
        rate: 1 + Math.floor(random() * 199),
        concurrency: 1 + Math.floor(random() * 8),
        paths: ['/a', '/b', '/c'].slice(Math.floor(random() * 3)),
        maxErrors: 1,
      }
      const slow = random() * 200
      const { outcome, sender } = await ran(changes, () => ({
        after: random() * slow,
        sent: random() < 0.1 ? { failed: 'ECONNRESET' } : { status: random() < 0.1 ? 503 : 200 },
      }))
      assert.deepEqual([outcome.sent, outcome.tally.done], [changes.requests, changes.requests])
      assert.equal(outcome.end, 'completed')
      assert.ok(sender.most <= changes.concurrency)
      for (const [index, { at, path }] of sender.asked.entries()) {
        assert.ok(at >= dueAt(index, changes) - 1e-6, `request ${index} was sent at ${at}`)
        assert.equal(path, changes.paths[index % changes.paths.length])
      }
    }
  })

  it('measures known latencies exactly: p50 and p99', async () => {
    // Two of a hundred take 80 ms.
    const measured = await ran({ requests: 1_000, rate: 100 }, (index) => ({ after: index % 50 === 7 ? 80 : 12 }))
    const { p50, p90, p99, max } = latencyOf(measured)
    for (const [found, wanted] of [
      [p50, 12],
      [p90, 12],
      [p99, 80],
      [max, 80],
    ] as const)
      assert.ok(Math.abs(found - wanted) < 0.1, `${found}, not ${wanted}`)
  })

  it('counts from the moment at which a request was due: a server that stands still is seen by all that wait', async () => {
    // At 20 a second over one connection, a stop of one second delays 20 requests by up to one second.
    const measured = await ran({ concurrency: 1, requests: 100 }, (index) => ({ after: index === 40 ? 1_000 : 1 }))
    const { p50, p90, max } = latencyOf(measured)
    assert.ok(p50 < 2 && max > 999, JSON.stringify(latencyOf(measured)))
    assert.ok(p90 > 400, `the tenth that waited longest waited ${p90} ms`)
    assert.equal(measured.outcome.end, 'completed')
    assert.ok(measured.outcome.milliseconds < 5_000, 'the run catches up')
  })

  it('stops when too many of the last requests fail: a server that dies half-way', async () => {
    const { outcome, sender } = await ran({ requests: 1_000 }, (index) =>
      index < 500 ? { after: 5 } : { after: 1, sent: { failed: 'ECONNREFUSED' } },
    )
    assert.equal(outcome.end, 'stopped')
    assert.equal(outcome.tally.failed, 11)
    assert.equal(sender.asked.length, 511)
  })

  it('does not stop with --max-errors 100%, and at the first error with 0%', async () => {
    const dead = () => ({ after: 1, sent: { failed: 'ECONNREFUSED' } })
    assert.deepEqual((await ran({ maxErrors: 1 }, dead)).outcome.end, 'completed')
    const first = await ran({ maxErrors: 0, requests: 500 }, (index) => (index === 300 ? dead() : { after: 1 }))
    assert.deepEqual([first.outcome.end, first.sender.asked.length], ['stopped', 301])
  })

  it('ends when the answers take too long, and says how many requests were sent', async () => {
    const { outcome, sender, timers } = await ran({ requests: 100, rate: 20, concurrency: 2 }, () => ({ after: 2_000 }))
    assert.equal(outcome.end, 'overdue')
    assert.equal(outcome.milliseconds, 4_950 + 15_000)
    assert.equal(outcome.sent, sender.asked.length)
    assert.ok(outcome.sent < 25)
    assert.deepEqual([sender.closed, timers.pending], [1, 0])
  })

  it('ends when nothing answers any more', async () => {
    const { outcome } = await ran({ requests: 10 }, () => ({ after: undefined }))
    assert.deepEqual([outcome.end, outcome.sent, outcome.tally.done], ['overdue', 4, 0])
  })

  it('ends at once when it is interrupted, with what was counted until then', async () => {
    const { outcome, sender, timers } = await ran({}, () => ({ after: 30 }), 1_010)
    assert.deepEqual([outcome.end, outcome.sent, outcome.tally.done], ['interrupted', 21, 20])
    assert.deepEqual([...outcome.tally.errors], [])
    assert.deepEqual([outcome.milliseconds, sender.closed, timers.pending], [1_010, 1, 0])
  })

  it('sends nothing after a signal that came before', async () => {
    const timers = new FakeTimers()
    const sender = new FakeSender(timers)
    const outcome = await runTraffic(RUN, { sender, timers, signal: AbortSignal.abort() })
    assert.deepEqual([outcome.end, sender.asked.length, sender.closed], ['interrupted', 0, 1])
  })

  it('fails with the sender, and closes it', async () => {
    const timers = new FakeTimers()
    const sender = new FakeSender(timers)
    sender.send = () => Promise.reject(new UserError('FORBIDDEN', 'no'))
    const running = runTraffic(RUN, { sender, timers, signal: new AbortController().signal })
    await assert.rejects(running, { code: 'FORBIDDEN' })
    assert.deepEqual([sender.closed, timers.pending], [1, 0])
  })

  it('shows its progress four times a second', async () => {
    const { progress } = await ran({}, (index) => ({ after: 5, sent: { status: index === 3 ? 503 : 200 } }))
    assert.ok(progress.length >= 19 && progress.length <= 20)
    const { done, requests, rate, refused, unanswered, left, p50 = 0 } = progress[9] ?? assert.fail('no progress')
    assert.deepEqual([done, requests, refused, unanswered, left], [50, 100, 1, 0, 2_450])
    assert.ok(Math.abs(rate - 20) < 0.5 && Math.abs(p50 - 5) < 0.1)
  })
})
