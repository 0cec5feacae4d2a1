import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { until, untilTime, type Wait } from '../../src/time/until.ts'
import { FakeClock } from '../fakes/fake-world.ts'

const START = new FakeClock().now().getTime()

/** Looks that give these numbers one after the other, and the last one for ever. */
function counting(...numbers: number[]): { wait: Wait<number>; looks: number[]; clock: FakeClock } {
  const clock = new FakeClock()
  const looks: number[] = []
  const look = async () => {
    looks.push(clock.now().getTime() - START)
    return numbers[looks.length - 1] ?? numbers.at(-1) ?? 0
  }
  return { wait: { look, isDone: (number) => number === 9, pause: 100, timeout: 1_000 }, looks, clock }
}

describe('until', () => {
  it('looks again after each pause until a look is good, and returns that look', async () => {
    const { wait, looks, clock } = counting(1, 2, 9)
    assert.equal(await until(wait, clock), 9)
    assert.deepEqual(looks, [0, 100, 200])
  })

  it('looks once when there is no time', async () => {
    const { wait, looks, clock } = counting(1)
    assert.equal(await until({ ...wait, timeout: 0 }, clock), 1)
    assert.deepEqual(looks, [0])
  })

  it('looks a last time when the time is over, and returns that look', async () => {
    const { wait, looks, clock } = counting(1, 2)
    assert.equal(await until({ ...wait, timeout: 250 }, clock), 2)
    assert.deepEqual(looks, [0, 100, 200, 300])
  })

  it('ends at a signal, with the last look, also while it waits', async () => {
    const { wait, looks, clock } = counting(1, 2)
    const ending = new AbortController()
    const waits: boolean[] = []
    clock.sleep = async (_, signal) => {
      ending.abort()
      waits.push(signal?.aborted === true)
    }
    assert.equal(await until({ ...wait, signal: ending.signal, giveUp: () => new Error('too late') }, clock), 2)
    assert.deepEqual([looks.length, waits], [2, [true]])
  })

  it('takes a good look after the time is over', async () => {
    const { wait, clock } = counting(1, 1, 1, 9)
    assert.equal(await until({ ...wait, timeout: 250, giveUp: () => new Error('too late') }, clock), 9)
  })

  it('gives up with a reason from the last look', async () => {
    const { wait, clock } = counting(1, 2)
    const giveUp = async (number: number) => new Error(`only ${number}`)
    await assert.rejects(until({ ...wait, giveUp }, clock), /^Error: only 2$/)
  })

  it('throws the error of a look at once', async () => {
    const { wait, clock } = counting(1)
    const broken = { ...wait, look: () => Promise.reject(new Error('no such thing')) }
    await assert.rejects(until(broken, clock), /no such thing/)
    assert.equal(clock.now().getTime(), START)
  })

  it('starts the timeout again whenever a look has come further than all looks before', async () => {
    const { wait, looks, clock } = counting(1, 1, 2, 1, 2, 2, 2)
    const giveUp = () => new Error('it stands still')
    await assert.rejects(until({ ...wait, timeout: 300, reached: (number) => number, giveUp }, clock), /stands still/)
    assert.deepEqual(looks, [0, 100, 200, 300, 400, 500])
  })

  it('reports every look, the last one too', async () => {
    const { wait, clock } = counting(1, 2, 9)
    const told: [number, number][] = []
    await until({ ...wait, progress: (...words) => told.push(words) }, clock)
    assert.deepEqual(told, [
      [1, 0],
      [2, 100],
      [9, 200],
    ])
  })

  it('explains once what it waits for, when it goes on for longer than the patience', async () => {
    const { wait, clock } = counting(1, 2, 3, 4, 9)
    const told: number[] = []
    await until({ ...wait, patience: 150, explain: (number) => told.push(number) }, clock)
    assert.deepEqual(told, [3])
  })

  it('explains nothing when it gives up or is done', async () => {
    for (const last of [1, 9]) {
      const { wait, clock } = counting(last)
      const told: number[] = []
      await until({ ...wait, timeout: 0, patience: 0, explain: (number) => told.push(number) }, clock)
      assert.deepEqual(told, [])
    }
  })
})

describe('untilTime', () => {
  it('waits for longer than one timer takes', async () => {
    const clock = new FakeClock()
    const moment = new Date(START + 40 * 86_400_000)
    await untilTime(moment, clock, new AbortController().signal)
    assert.deepEqual(clock.now(), moment)
  })

  it('ends at the signal', async () => {
    const [clock, controller] = [new FakeClock(), new AbortController()]
    const sleeping = clock.sleep.bind(clock)
    clock.sleep = (milliseconds) => {
      controller.abort()
      return sleeping(milliseconds)
    }
    await untilTime(undefined, clock, controller.signal)
    assert.equal(clock.now().getTime(), START + 3_600_000)
  })
})
