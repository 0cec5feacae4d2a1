import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { readYaml, valuesInYaml, whyNotParsed, whyNoYaml } from '../src/yaml-reading.ts'

const BOMB = `a: &a [x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]
d: [*c, *c, *c, *c, *c, *c, *c, *c, *c]
`

describe('YAML that anybody may have written', () => {
  it('is read as usual', () => {
    assert.deepEqual(valuesInYaml('a: [1, {b: c}]\n# x\nd: |\n  [[[\n'), { a: [1, { b: 'c' }], d: '[[[\n' })
    assert.deepEqual(valuesInYaml('<<: {a: 1}\nb: 2\n'), { '<<': { a: 1 }, b: 2 })
    assert.equal(readYaml('a: 1 # kept\n').toString(), 'a: 1 # kept\n')
  })

  const refused: [string, string, RegExp][] = [
    ['brackets that never end', '['.repeat(100_000), /too deeply/],
    ['maps in maps', '{"a":'.repeat(300) + '}'.repeat(300), /too deeply/],
    ['brackets in quotes, too', `a: "${'['.repeat(300)}"`, /too deeply/],
    ['lists in one line', `${'- '.repeat(300)}a`, /too deeply/],
    ['keys of keys', `${'? '.repeat(300)}a`, /too deeply/],
    ['200,000 characters', 'a'.repeat(200_000), /200000 characters/],
    ['a key that is there twice', 'a: {b: 1, c: 2, b: 3}\n', /the key b is there twice/],
  ]
  for (const [name, text, why] of refused)
    it(`is refused with the reason: ${name}`, () => {
      const [error] = readYaml(text).errors
      assert.match(error?.message ?? '', why)
      assert.equal(valuesInYaml(text), undefined)
    })

  it('is refused when its aliases multiply its values', () => {
    assert.equal(valuesInYaml(BOMB), undefined)
  })

  it('may be longer where a whole ConfigMap is one text', () => {
    assert.equal(whyNotParsed('a'.repeat(1_000_000)), undefined)
    assert.match(whyNotParsed('a'.repeat(2_000_000)) ?? '', /characters/)
  })

  it('does not have a value that contains itself', () => {
    for (const text of ['&a [*a]', 'a: &a {b: *a}', 'a: &a\n- b: [1, *a]\n']) {
      assert.equal(valuesInYaml(text), undefined)
      assert.equal(whyNoYaml(text), 'an alias stands for a value that it is in')
    }
    assert.deepEqual(valuesInYaml('a: &a [1]\nb: *a\n'), { a: [1], b: [1] })
  })
})
