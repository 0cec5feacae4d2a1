import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parse, parseAllDocuments } from 'yaml'
import { dryRunMark, renderData, renderManifests, renderObject, tableLines } from '../../src/rendering/output.ts'

const SECRET = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a', namespace: 'x' } }
const GATEWAY = { apiVersion: 'networking.istio.io/v1', kind: 'Gateway', metadata: { name: 'b' } }

describe('tableLines', () => {
  it('separates columns by two spaces, as wide as their longest cell, without trailing blanks', () => {
    const rows = [
      ['ADD-ON', 'URL', 'ANSWER'],
      ['grafana', 'https://grafana.example.com/', '200'],
      ['kiali', '', ''],
    ]
    assert.deepEqual(tableLines(rows), [
      'ADD-ON   URL                           ANSWER',
      'grafana  https://grafana.example.com/  200',
      'kiali',
    ])
  })

  it('is empty without rows', () => assert.deepEqual(tableLines([]), []))
})

describe('renderObject', () => {
  it('prints an object like kubectl', () => {
    const gateway = { kind: 'VirtualService', group: 'networking.istio.io', name: 'kubectl-telemetry-grafana' }
    assert.equal(
      renderObject(gateway, 'created'),
      'virtualservice.networking.istio.io/kubectl-telemetry-grafana created',
    )
  })

  it('leaves out the core group', () => {
    assert.equal(renderObject({ kind: 'Secret', group: '', name: 'tls' }, 'unchanged'), 'secret/tls unchanged')
  })
})

describe('dryRunMark', () => {
  const marks = { none: '', client: ' (dry run)', server: ' (server dry run)' } as const
  for (const dryRun of ['none', 'client', 'server'] as const) {
    it(`is ${JSON.stringify(marks[dryRun])} for --dry-run=${dryRun}`, () => {
      assert.equal(dryRunMark(dryRun), marks[dryRun])
    })
  }
})

describe('renderData', () => {
  const data = { outcome: 'applied', count: 2, names: ['a', 'b'], empty: [], missing: undefined }

  it('writes indented JSON', () => {
    assert.equal(
      renderData(data, 'json'),
      '{\n  "outcome": "applied",\n  "count": 2,\n  "names": [\n    "a",\n    "b"\n  ],\n  "empty": []\n}',
    )
  })

  it('writes YAML without a newline at the end', () => {
    assert.equal(renderData(data, 'yaml'), 'outcome: applied\ncount: 2\nnames:\n  - a\n  - b\nempty: []')
  })

  it('does not fold long lines, so that they can be searched', () => {
    const long = 'word '.repeat(60).trim()
    assert.equal(renderData({ long }, 'yaml'), `long: ${long}`)
  })

  it('keeps text with several lines, and text that looks like something else', () => {
    const odd = {
      pem: '-----BEGIN X-----\nAAAA\n-----END X-----\n',
      bool: 'true',
      number: '015',
      nothing: '~',
      colon: 'a: b',
    }
    assert.deepEqual(parse(renderData(odd, 'yaml')), odd)
    assert.deepEqual(JSON.parse(renderData(odd, 'json')), odd)
  })
})

describe('renderData as YAML, for readers of YAML 1.1 such as kubectl', () => {
  const texts = [
    ...['no', 'No', 'NO', 'n', 'N', 'y', 'yes', 'on', 'On', 'off', 'OFF', 'true', 'False', 'null', 'Null', '~', ''],
    ...['1_000', '1,000', '017', '0x1F', '0b11', '1e3', '.5', '1.', '+1', '-1', '.inf', '-.INF', '.nan'],
    ...['2026-11-21', '2026-11-21T10:30:00Z', '2026-11-21 10:30:00', '12:30', '190:20:30', '1:2.5'],
    ...['=', '- a', '# b', '&a', '*a', '!a', '%a', '@a', '`a', '{a', '[a', 'a: b', 'a #b', ' a', 'a ', '"', "'"],
  ]
  for (const text of texts) {
    it(`keeps the text ${JSON.stringify(text)} a text, as a value, in a list and as a key`, () => {
      const data = { value: text, list: [text], [text]: 1 }
      const yaml = renderData(data, 'yaml')
      for (const version of ['1.1', '1.2'] as const) {
        assert.deepEqual(parse(yaml, { version }), data, yaml)
      }
    })
  }

  for (const text of ['no', 'on', '1_000', '2026-11-21', '12:30', '0x1F', 'null']) {
    it(`puts quotes around ${text}`, () => {
      assert.equal(renderData({ [text]: text }, 'yaml'), `"${text}": "${text}"`)
    })
  }

  it('does not quote numbers, booleans and null', () => {
    assert.equal(renderData({ a: 1, b: true, c: null, d: 1.5 }, 'yaml'), 'a: 1\nb: true\nc: null\nd: 1.5')
  })

  it('repeats a value instead of using an alias, which people cannot read', () => {
    const labels = { app: 'x' }
    assert.equal(renderData({ a: labels, b: [labels] }, 'yaml'), 'a:\n  app: x\nb:\n  - app: x')
  })

  it('has no version line', () => assert.doesNotMatch(renderData({ a: 'no' }, 'yaml'), /%YAML|---/))
})

describe('renderManifests', () => {
  it('makes a List in JSON, which kubectl can apply', () => {
    assert.deepEqual(JSON.parse(renderManifests([SECRET, GATEWAY], 'json')), {
      apiVersion: 'v1',
      kind: 'List',
      items: [SECRET, GATEWAY],
    })
  })

  it('makes one YAML document for each, in their order', () => {
    const text = renderManifests([SECRET, GATEWAY], 'yaml')
    assert.equal(
      text,
      [
        'apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n  namespace: x',
        'apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata:\n  name: b',
      ].join('\n---\n'),
    )
    assert.deepEqual(
      parseAllDocuments(text).map((document) => document.toJS()),
      [SECRET, GATEWAY],
    )
  })
})
