import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { nearest } from '../../src/addons/nearest.ts'

const KNOWN = ['grafana', 'kiali', 'prometheus', 'jaeger', 'zipkin']

describe('nearest', () => {
  const cases: [string, string, string | undefined][] = [
    ['the word itself', 'kiali', 'kiali'],
    ['a letter too many', 'graffana', 'grafana'],
    ['a letter too few', 'promethus', 'prometheus'],
    ['another letter', 'jaegar', 'jaeger'],
    ['two letters swapped', 'zipkni', 'zipkin'],
    ['only the beginning, when a third is missing', 'graf', 'grafana'],
    ['exactly a third (rounded up) that differs', 'xyali', 'kiali'],
    ['more than a third that differs', 'xyzli', undefined],
    ['something else', 'loki-stack', undefined],
    ['nothing', '', undefined],
  ]
  for (const [name, word, expected] of cases) {
    it(`is ${expected ?? 'none'} for ${name}: ${JSON.stringify(word)}`, () =>
      assert.equal(nearest(word, KNOWN), expected))
  }

  it('is the closest of several that are close', () => {
    assert.equal(nearest('kialo', ['kilo', 'kiali', 'kialo-x']), 'kilo')
    assert.equal(nearest('kiala', ['kilo', 'kiali']), 'kiali')
  })

  it('is none without candidates', () => assert.equal(nearest('kiali', []), undefined))
})
