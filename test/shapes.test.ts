import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { isFlat, jsonOf, listOf, mapOf, textOf, textsOf } from '../src/shapes.ts'

const ODD = [null, undefined, 5, true, 'text', [], {}, [null], { a: null }]
const DEEP = 200_000

describe('shapes of what has no schema', () => {
  it('are never other than asked for', () => {
    assert.deepEqual(ODD.map(mapOf), [{}, {}, {}, {}, {}, {}, {}, {}, { a: null }])
    assert.deepEqual(ODD.map(listOf), [[], [], [], [], [], [], [], [null], []])
    assert.deepEqual(
      ODD.map(textOf).filter((one) => one !== undefined),
      ['text'],
    )
    assert.deepEqual(textsOf(['a', 1, null, 'b']), ['a', 'b'])
  })

  it('are flat up to 100 levels, in lists and in maps', () => {
    const nested = (levels: number) =>
      JSON.parse(`${'[{"a":'.repeat(levels / 2)}1${'}]'.repeat(levels / 2)}`) as unknown
    assert.equal(isFlat(nested(100)), true)
    assert.equal(isFlat(nested(102)), false)
  })

  it('in JSON are undefined for broken and for deep texts', () => {
    assert.deepEqual(['{"a":[1]}', 'null', '{', ''].map(jsonOf), [{ a: [1] }, null, undefined, undefined])
    assert.equal(jsonOf('['.repeat(DEEP) + ']'.repeat(DEEP)), undefined)
  })
})
