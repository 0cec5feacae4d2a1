import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { dueAt, LIMITS, requireCount, requireRate, requireShare, scheduleOf } from '../../src/traffic/limits.ts'
import { seeded } from '../fakes/random.ts'

const USAGE = { code: 'TRAFFIC_LIMIT', exitCode: 2 }

describe('limits of traffic', () => {
  const wrong: [what: string, parse: (text: string) => number, texts: string[]][] = [
    [
      '--rate',
      requireRate,
      ['0', '0.0', '-1', '201', '200.1', '1e6', '1e2', 'ten', '', ' 5', '0x10', 'Infinity', '5/s'],
    ],
    [
      '--requests',
      (text) => requireCount(text, 'requests'),
      ['0', '-1', '10001', '1e3', '1.5', 'ten', '', ' 5', '99999999999'],
    ],
    ['--concurrency', (text) => requireCount(text, 'concurrency'), ['0', '33', 'all']],
    ['--max-errors', requireShare, ['10', '101%', '-1%', '%', 'ten%', '1e1%', '10 %', '']],
  ]
  for (const [what, parse, texts] of wrong)
    for (const text of texts)
      it(`refuses ${what} ${JSON.stringify(text)}`, () => assert.throws(() => parse(text), USAGE))

  it('reads the others', () => {
    assert.deepEqual(['20', '0.5', '200', '0.001'].map(requireRate), [20, 0.5, 200, 0.001])
    assert.deepEqual(['0%', '10%', '100%', '2.5%'].map(requireShare), [0, 0.1, 1, 0.025])
    assert.equal(requireCount('10000', 'requests'), 10_000)
  })

  it('takes the fewer of --requests and what fits into --for', () => {
    assert.deepEqual(scheduleOf({ rate: 20 }), { requests: 1_000, rate: 20 })
    assert.deepEqual(scheduleOf({ rate: 20, duration: 10_000 }), { requests: 200, rate: 20 })
    assert.deepEqual(scheduleOf({ rate: 20, requests: 50, duration: 10_000 }), { requests: 50, rate: 20 })
    assert.deepEqual(scheduleOf({ rate: 20, requests: 5_000, duration: 10_000 }), { requests: 200, rate: 20 })
    assert.deepEqual(scheduleOf({ rate: 0.1, duration: 1_000 }), { requests: 1, rate: 0.1 })
  })

  it('refuses what takes longer, or is more, than is allowed', () => {
    assert.throws(() => scheduleOf({ rate: 1, duration: 30 * 60_000 + 1 }), USAGE)
    assert.throws(() => scheduleOf({ rate: 20, duration: 30 * 60_000 }), USAGE)
    assert.throws(() => scheduleOf({ rate: 1, requests: 10_000 }), USAGE)
    assert.throws(() => scheduleOf({ rate: 0.5 }), USAGE)
  })

  it('suggests what is within the limits', () => {
    for (const amount of [
      { rate: 20, duration: 30 * 60_000 },
      { rate: 200, duration: 11 * 60_000 },
      { rate: 1, requests: 10_000 },
      { rate: 0.5 },
      { rate: 0.013, requests: 977 },
    ]) {
      let suggested: string[] = []
      assert.throws(
        () => scheduleOf(amount),
        ({ suggestions }) => {
          suggested = suggestions as string[]
          return true
        },
      )
      const rate = suggested.find((one) => one.startsWith('--rate '))?.slice('--rate '.length) ?? ''
      assert.ok(scheduleOf({ ...amount, rate: requireRate(rate) }).requests <= LIMITS.requests, `${rate} fits`)
    }
  })

  it('keeps every schedule within all limits, and every request within --for', () => {
    const random = seeded(17)
    for (let round = 0; round < 5_000; round++) {
      const amount = {
        rate: Math.round(1 + random() ** 3 * 199_999) / 1_000,
        ...(random() < 0.7 ? { requests: 1 + Math.floor(random() * LIMITS.requests) } : {}),
        ...(random() < 0.7 ? { duration: 1 + Math.floor(random() * LIMITS.milliseconds) } : {}),
      }
      try {
        const schedule = scheduleOf(amount)
        const last = dueAt(schedule.requests - 1, schedule)
        const { duration = Number.POSITIVE_INFINITY, requests = Number.POSITIVE_INFINITY } = amount
        assert.ok(schedule.requests >= 1 && schedule.requests <= Math.min(requests, LIMITS.requests))
        assert.ok(last < duration && last <= LIMITS.milliseconds, JSON.stringify({ amount, schedule, last }))
        const next = dueAt(schedule.requests, schedule)
        const isFull = schedule.requests === requests || next >= duration - 1e-6 || amount.requests === undefined
        assert.ok(isFull, JSON.stringify({ amount, schedule, next }))
      } catch (error) {
        assert.equal((error as { code: string }).code, 'TRAFFIC_LIMIT', String(error))
      }
    }
  })
})
