import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { figure, median, quantile, ratio, typical } from './statistics.ts'

describe('statistics of benches', () => {
  it('takes quantiles by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
    assert.deepEqual([quantile(hundred, 0.5), quantile(hundred, 0.99), quantile(hundred, 1)], [50, 99, 100])
    assert.equal(median([3, 1, 2]), 2)
    assert.ok(Number.isNaN(median([])))
  })

  it('writes three digits, and whole counts', () => {
    assert.deepEqual([1.2345, 12.345, 123.45, 5, 0, undefined, Number.NaN].map(figure), [
      '1.23',
      '12.3',
      '123',
      '5',
      '0',
      '-',
      '-',
    ])
  })

  it('takes the median of the rounds with a figure', () => {
    assert.equal(typical([3, undefined, 1, Number.NaN, 2]), 2)
    assert.equal(typical([undefined, undefined]), undefined)
  })

  it('compares within each round, so that a round that was slow for both does not matter', () => {
    assert.equal(ratio([1, 10, 3], [2, 20, 6]), 0.5)
    assert.equal(ratio([1, undefined, 3], [undefined, 2, 6]), 0.5)
    assert.equal(ratio([1], [0]), undefined)
    assert.equal(ratio([], []), undefined)
  })
})
