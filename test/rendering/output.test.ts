import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parse, parseAllDocuments } from 'yaml'
import { dryRunMark, renderData, renderManifests, renderObject, renderTable } from '../../src/rendering/output.ts'

const SECRET = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a', namespace: 'x' } }
const GATEWAY = { apiVersion: 'networking.istio.io/v1', kind: 'Gateway', metadata: { name: 'b' } }

describe('renderTable', () => {
  it('sets columns two spaces apart, as wide as their longest cell, without blanks at the end', () => {
    const rows = [
      ['ADD-ON', 'URL', 'ANSWER'],
      ['grafana', 'https://grafana.example.com/', '200'],
      ['kiali', '', ''],
    ]
    assert.equal(
      renderTable(rows),
      ['ADD-ON   URL                           ANSWER', 'grafana  https://grafana.example.com/  200', 'kiali'].join(
        '\n',
      ),
    )
  })

  it('is empty without rows', () => assert.equal(renderTable([]), ''))
})

describe('renderObject', () => {
  it('names an object as kubectl does', () => {
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
