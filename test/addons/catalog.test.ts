import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { ADDON_NAMES, ADDONS, requireAddons, rowsOf } from '../../src/addons/catalog.ts'

describe('the catalogue', () => {
  for (const row of ADDONS) {
    describe(row.title, () => {
      it('has a name that can be the first label of a host', () => assert.match(row.name, /^[a-z][a-z0-9-]{0,9}$/))

      it('has a path between slashes', () => assert.match(row.path.byDefault, /^\/([a-z]+\/)*$/))

      it('can be found: it has labels, and ports by number', () => {
        assert.ok(row.labels.length > 0)
        assert.ok(row.labels.every((labels) => Object.keys(labels).length > 0))
        assert.ok(row.ports.numbers.every((port) => port > 0 && port < 65_536) && row.ports.numbers.length > 0)
      })
    })
  }

  it('names each product once, and each kind once', () => {
    assert.equal(new Set(ADDONS.map(({ title }) => title)).size, ADDONS.length)
    assert.deepEqual(ADDON_NAMES, ['grafana', 'kiali', 'prometheus', 'tracing'])
  })

  it('has several products of one kind', () => {
    assert.deepEqual(
      rowsOf('tracing').map(({ title }) => title),
      ['Jaeger', 'Zipkin', 'SkyWalking'],
    )
    assert.deepEqual(
      rowsOf('kiali').map(({ title }) => title),
      ['Kiali'],
    )
    assert.deepEqual(rowsOf('jaeger'), [])
  })

  it('lets every request through only to add-ons that check each one themselves', () => {
    assert.deepEqual(
      ADDONS.filter(({ allowed }) => allowed === undefined).map(({ title }) => title),
      ['Grafana', 'Kiali'],
    )
  })
})

describe('requireAddons', () => {
  const EVERYTHING = { names: ['grafana', 'kiali', 'prometheus', 'tracing'], named: false }
  const cases: [string[], { names: string[]; named: boolean }][] = [
    [[], EVERYTHING],
    [['all'], EVERYTHING],
    [['grafana', 'all'], EVERYTHING],
    [['grafana'], { names: ['grafana'], named: true }],
    [['kiali', 'grafana'], { names: ['kiali', 'grafana'], named: true }],
    [['grafana', 'grafana'], { names: ['grafana'], named: true }],
    [['Grafana'], { names: ['grafana'], named: true }],
    [['tracing'], { names: ['tracing'], named: true }],
    [['jaeger'], { names: ['tracing'], named: true }],
    [['Zipkin'], { names: ['tracing'], named: true }],
    [['SkyWalking'], { names: ['tracing'], named: true }],
    [['jaeger', 'tracing', 'zipkin'], { names: ['tracing'], named: true }],
    [['grafana', 'kiali', 'prometheus', 'tracing'], { names: EVERYTHING.names, named: true }],
  ]
  for (const [words, expected] of cases) {
    it(`takes ${expected.named ? '' : 'whatever is there of '}${expected.names.join(', ')} for ${JSON.stringify(words)}`, () => {
      assert.deepEqual(requireAddons(words), expected)
    })
  }

  const mistakes: [string[], string, string[]][] = [
    [['Grafanna'], 'Grafanna', ['did you mean "grafana"?']],
    [['jeager'], 'jeager', ['did you mean "jaeger"?']],
    [['trace'], 'trace', ['did you mean "tracing"?']],
    [['grafana', 'elasticsearch'], 'elasticsearch', []],
    [[''], '', []],
  ]
  for (const [words, word, suggestions] of mistakes) {
    it(`refuses ${JSON.stringify(words)} and suggests ${suggestions[0] ?? 'nothing'}`, () => {
      assert.throws(() => requireAddons(words), {
        name: 'UserError',
        code: 'ADDON_UNKNOWN',
        exitCode: 2,
        message: `there is no add-on "${word}"; known: grafana, kiali, prometheus, tracing`,
        suggestions,
      })
    })
  }
})
