import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { figure, median, quantile, table } from './statistics.ts'

describe('statistics of benches', () => {
  it('takes quantiles by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
    assert.deepEqual([quantile(hundred, 0.5), quantile(hundred, 0.99), quantile(hundred, 1)], [50, 99, 100])
    assert.equal(median([3, 1, 2]), 2)
    assert.ok(Number.isNaN(median([])))
  })

  it('writes three digits', () => {
    assert.deepEqual([figure(1.2345), figure(12.345), figure(123.45), figure(undefined)], ['1.23', '12.3', '123', '-'])
  })

  it('compares with the first tool', () => {
    const text = table(
      ['kubectl', 'ours'],
      [
        { what: 'x, ms', values: [4, 2] },
        { what: 'y', values: [undefined, 2] },
      ],
    )
    assert.deepEqual(text.split('\n'), [
      '| | kubectl | ours |',
      '| --- | --- | --- |',
      '| x, ms | 4.00 | 2.00 (0.50x) |',
      '| y | - | 2.00 |',
    ])
  })
})
