import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Tally } from '../../src/traffic/tally.ts'
import { quantile } from '../bench/statistics.ts'
import { seeded } from '../fakes/random.ts'

const OK = { status: 200 }
const FAILED = { failed: 'ECONNREFUSED' }

describe('Tally', () => {
  it('has percentiles within 0.1 % and 0.01 ms of the exact ones, or of the rank below, for any distribution', () => {
    const random = seeded(4)
    const shapes: ((at: number) => number)[] = [
      () => random() * 10,
      () => 10 ** (random() * 5 - 2),
      (at) => (at % 50 === 0 ? 900 : 5),
      () => -20 * Math.log(1 - random()),
      () => 12,
    ]
    for (const shape of shapes)
      for (const count of [1, 2, 10, 99, 1_000, 10_000]) {
        const tally = new Tally()
        const exact = Array.from({ length: count }, (_, at) => Math.max(0.001, shape(at)))
        for (const one of exact) tally.count(OK, one)
        const { p50, p90, p99, max } = tally.latency() ?? { p50: 0, p90: 0, p99: 0, max: 0 }
        for (const [found, part] of [
          [p50, 0.5],
          [p90, 0.9],
          [p99, 0.99],
          [max, 1],
        ] as const) {
          // HdrHistogram may take the rank below.
          const [least, most] = [quantile(exact, part - 1 / count), quantile(exact, part)]
          assert.ok(
            found >= least * 0.999 - 0.011 && found <= most * 1.001 + 0.011,
            `${part} of ${count}: ${found}, not ${least} to ${most}`,
          )
        }
      }
  })

  it('counts statuses and errors, and latencies of answers only', () => {
    const tally = new Tally()
    for (const status of [200, 200, 404, 503]) tally.count({ status }, 4)
    tally.count(FAILED, 5_000)
    assert.deepEqual(
      [...tally.statuses],
      [
        [200, 2],
        [404, 1],
        [503, 1],
      ],
    )
    assert.deepEqual([...tally.errors], [['ECONNREFUSED', 1]])
    assert.deepEqual([tally.done, tally.answered, tally.unanswered, tally.failed, tally.share], [5, 4, 1, 2, 0.4])
    assert.equal(tally.latency()?.max, 4)
  })

  it('has no latency without an answer', () => {
    const tally = new Tally()
    tally.count(FAILED, 1)
    assert.equal(tally.latency(), undefined)
    assert.equal(new Tally().share, 0)
  })

  it('takes any latency, also one that is longer than a run', () => {
    const tally = new Tally()
    for (const latency of [0, -1, 1e9]) tally.count(OK, latency)
    assert.equal(tally.done, 3)
    assert.ok((tally.latency()?.max ?? 0) > 1_800_000)
  })

  it('keeps a bounded number of codes', () => {
    const tally = new Tally()
    for (let at = 0; at < 1_000; at++) tally.count({ failed: `CODE_${at}` }, 1)
    assert.equal(tally.errors.size, 21)
    assert.equal(tally.errors.get('OTHERS'), 980)
  })

  it('judges the last hundred requests, once there are twenty', () => {
    const random = seeded(9)
    const tally = new Tally()
    const all: boolean[] = []
    for (let at = 0; at < 700; at++) {
      const fails = random() < (at < 300 ? 0.02 : 0.6)
      all.push(fails)
      tally.count(fails ? FAILED : OK, 1)
      const last = all.slice(-100)
      const share = all.length < 20 ? 0 : last.filter(Boolean).length / last.length
      assert.ok(Math.abs(tally.recentShare - share) < 1e-9)
    }
  })
})
