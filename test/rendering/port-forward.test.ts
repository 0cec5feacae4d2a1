import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parseAllDocuments } from 'yaml'
import type { ForwardEvent } from '../../src/forwarding/event-reporter.ts'
import { eventRenderer, renderConnection, renderTraffic } from '../../src/rendering/port-forward.ts'

const event = (name: ForwardEvent['event'], more: Partial<ForwardEvent> = {}): ForwardEvent => ({
  event: name,
  addon: 'grafana',
  namespace: 'istio-system',
  service: 'grafana',
  url: 'http://localhost:3000/',
  ...more,
})
const connected = (pod: string, more: Partial<ForwardEvent> = {}) => event('connected', { pod, ...more })

describe('eventRenderer', () => {
  it('shows the URL once, and then only changes', () => {
    const render = eventRenderer(undefined)
    const said = [
      event('listening'),
      connected('grafana-abc'),
      event('waiting'),
      connected('grafana-xyz'),
      event('lost', { reason: 'the API server hung up' }),
      connected('kiali-abc', { addon: 'kiali', url: 'http://localhost:20001/kiali/' }),
      event('closed'),
    ].map(render)
    assert.deepEqual(said, [
      ['', ''],
      ['grafana     http://localhost:3000/  (pod grafana-abc in istio-system)', ''],
      ['', 'grafana: lost its pod, waiting for a Ready one'],
      ['', 'grafana: connected to grafana-xyz'],
      ['', 'grafana: the API server hung up; retrying'],
      ['kiali       http://localhost:20001/kiali/  (pod kiali-abc in istio-system)', ''],
      ['', ''],
    ])
  })

  it('shows the URL while it waits for the first pod', () => {
    const [page, aside] = eventRenderer(undefined)(event('waiting'))
    assert.deepEqual([page, aside], ['', 'grafana: waiting for a Ready pod; http://localhost:3000/'])
  })

  it('keeps long names and URLs apart', () => {
    const [page] = eventRenderer(undefined)(connected('p', { addon: 'my-very-long-service' }))
    assert.match(page, /^my-very-long-service http:\/\/localhost/)
  })

  const events = [event('listening'), connected('p'), event('lost', { reason: 'a\nb' }), event('closed')]

  it('writes every event as JSON on a line of its own', () => {
    for (const one of events) {
      const [page, aside] = eventRenderer('json')(one)
      assert.deepEqual([JSON.parse(page), page.includes('\n'), aside], [one, false, ''])
    }
  })

  it('writes every event as a YAML document of its own', () => {
    const pages = events.map((one) => eventRenderer('yaml')(one)[0])
    assert.deepEqual(
      parseAllDocuments(`${pages.join('\n')}\n`).map((document) => document.toJS()),
      events,
    )
  })
})

describe('renderConnection', () => {
  it('names the add-on and the bytes of a connection', () => {
    const report = { addon: 'grafana', number: 3, up: 420, down: 12_595, milliseconds: 123 }
    assert.equal(renderConnection(report), 'grafana: connection 3 ended after 0.12 s, 420 B sent, 12.3 KiB received')
  })
})

describe('renderTraffic', () => {
  const none = { open: 0, connections: 0, up: 0, down: 0, reconnects: 0 }
  const cases: [Partial<typeof none>, string][] = [
    [{}, '0 of 0 connections open, 0 B sent, 0 B received'],
    [{ open: 1, connections: 1, up: 1023 }, '1 of 1 connection open, 1023 B sent, 0 B received'],
    [
      { open: 2, connections: 31, up: 1024, reconnects: 1 },
      '2 of 31 connections open, 1.0 KiB sent, 0 B received, reconnected once',
    ],
    [
      { down: 1024 ** 3 * 1.5, reconnects: 2 },
      '0 of 0 connections open, 0 B sent, 1.5 GiB received, reconnected 2 times',
    ],
    [{ down: 1024 ** 5 }, '0 of 0 connections open, 0 B sent, 1024.0 TiB received'],
  ]
  for (const [changes, text] of cases) it(text, () => assert.equal(renderTraffic({ ...none, ...changes }), text))
})
