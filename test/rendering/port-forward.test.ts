import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parseAllDocuments } from 'yaml'
import type { ForwardEvent } from '../../src/operations/port-forward.ts'
import { eventRenderer } from '../../src/rendering/port-forward.ts'

const event = (name: ForwardEvent['event'], more: Partial<ForwardEvent> = {}): ForwardEvent => ({
  event: name,
  addon: 'grafana',
  url: 'http://localhost:3000/',
  ...more,
})
const connected = (pod: string, more: Partial<ForwardEvent> = {}) => event('connected', { pod, ...more })

describe('eventRenderer', () => {
  it('gives people the URL once, and then what changes', () => {
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
      ['grafana     http://localhost:3000/  (pod grafana-abc)', ''],
      ['', 'grafana: pod gone, waiting'],
      ['', 'grafana: connected to grafana-xyz'],
      ['', 'grafana: the API server hung up; trying again'],
      ['kiali       http://localhost:20001/kiali/  (pod kiali-abc)', ''],
      ['', ''],
    ])
  })

  it('says where it waits when there is no pod at the beginning', () => {
    const [page, aside] = eventRenderer(undefined)(event('waiting'))
    assert.deepEqual([page, aside], ['', 'grafana: no Ready pod yet, waiting; http://localhost:3000/'])
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
