import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { ADDONS, requireAddons } from '../../src/addons/catalog.ts'
import { addon } from './addon-objects.ts'

describe('the catalogue', () => {
  for (const row of ADDONS) {
    describe(row.title, () => {
      it('has a name that can be the first label of a host', () => assert.match(row.name, /^[a-z][a-z0-9-]{0,9}$/))

      it('has a base path between slashes', () => assert.match(row.basePath, /^\/([a-z]+\/)*$/))

      it('can be found: it has labels, and ports by number', () => {
        assert.ok(row.labels.length > 0)
        assert.ok(row.labels.every((labels) => Object.keys(labels).length > 0))
        assert.ok(row.ports.numbers.every((port) => port > 0 && port < 65_536) && row.ports.numbers.length > 0)
      })
    })
  }

  it('names every add-on once', () => {
    assert.equal(new Set(ADDONS.map(({ name }) => name)).size, ADDONS.length)
  })
})

describe('requireAddons', () => {
  it('takes every add-on when none is named', () => assert.deepEqual(requireAddons([]), ADDONS))

  it('takes every add-on for `all`, whatever else is named', () => {
    assert.deepEqual(requireAddons(['all']), ADDONS)
    assert.deepEqual(requireAddons(['grafana', 'all']), ADDONS)
  })

  it('takes the named ones, once each, whatever their case', () => {
    assert.deepEqual(requireAddons(['grafana', 'grafana']), [addon('grafana')])
    assert.deepEqual(requireAddons(['Grafana']), [addon('grafana')])
  })

  it('refuses an unknown one and suggests what was meant', () => {
    assert.throws(() => requireAddons(['Grafanna']), {
      name: 'UserError',
      code: 'ADDON_UNKNOWN',
      exitCode: 2,
      message: `there is no add-on "Grafanna"; known: ${ADDONS.map(({ name }) => name).join(', ')}`,
      suggestions: ['did you mean "grafana"?'],
    })
  })

  it('suggests nothing for what is like none of them', () => {
    assert.throws(() => requireAddons(['grafana', 'elasticsearch']), { code: 'ADDON_UNKNOWN', suggestions: [] })
  })
})
