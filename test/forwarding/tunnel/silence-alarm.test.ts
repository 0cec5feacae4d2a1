import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { SilenceAlarm } from '../../../src/forwarding/tunnel/silence-alarm.ts'
import { FakeTimers } from '../../fakes/fake-timers.ts'

function alarm() {
  const timers = new FakeTimers()
  const rung: number[] = []
  const silence = new SilenceAlarm(timers, () => rung.push(timers.now()))
  return { timers, rung, silence }
}

describe('SilenceAlarm', () => {
  it('rings once, until an answer comes', async () => {
    const { timers, rung, silence } = alarm()
    silence.set()
    await timers.pass(599)
    silence.set()
    assert.deepEqual([silence.rings, rung], [false, []])
    await timers.pass(10_000)
    assert.deepEqual([silence.rings, rung, timers.pending], [true, [600], 0])
    silence.heard()
    assert.equal(silence.rings, false)
  })

  it('does not ring when an answer comes in time', async () => {
    const { timers, rung, silence } = alarm()
    silence.set()
    await timers.pass(500)
    silence.heard()
    await timers.pass(10_000)
    assert.deepEqual([rung, timers.pending], [[], 0])
  })

  it('waits longer for a slow peer, up to a limit', async () => {
    const { timers, rung, silence } = alarm()
    const ringsAfter = async (milliseconds: number) => {
      silence.set()
      await timers.pass(milliseconds)
      silence.heard()
      silence.set()
      const started = timers.now()
      await timers.pass(20_000)
      silence.heard()
      return (rung.at(-1) ?? 0) - started
    }
    assert.equal(await ringsAfter(400), 1_600)
    assert.equal(await ringsAfter(50_000), 3_000)
    assert.equal(await ringsAfter(1), 600)
  })

  it('does not ring for an answer that came while the process was suspended', () => {
    // The timer fires before the answer can be read: both happen in the first turn of the event loop.
    const due: { at: number; act: () => void }[] = []
    let now = 0
    const timers = {
      now: () => now,
      after: (milliseconds: number, act: () => void) => {
        const one = { at: now + milliseconds, act }
        due.push(one)
        return () => void due.splice(due.indexOf(one), 1)
      },
    }
    const rung: string[] = []
    const silence = new SilenceAlarm(timers, () => rung.push('rings'))
    silence.set()
    now = 60_000
    for (const { act } of due.splice(0).filter(({ at }) => at <= now)) act()
    silence.heard()
    assert.deepEqual([rung, due.length], [[], 0])
  })

  it('is quiet after a while without an answer or a question', async () => {
    const { timers, silence } = alarm()
    assert.equal(silence.isQuiet, false)
    await timers.pass(1_001)
    assert.equal(silence.isQuiet, true)
    silence.set()
    assert.equal(silence.isQuiet, false)
    silence.heard()
    assert.equal(silence.isQuiet, false)
  })
})
