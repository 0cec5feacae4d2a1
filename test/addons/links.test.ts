import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parse } from 'yaml'
import { disabledIn, linked, unlinked } from '../../src/addons/links.ts'

const URLS = { grafana: 'https://grafana.example.com/', tracing: 'https://tracing.example.com/jaeger/' }
const SAMPLE = `# by hand
auth:
  strategy: anonymous # everyone
external_services:
  prometheus:
    enabled: true
  tracing:
    enabled: false
skip:
- a
- b
`

describe('linked', () => {
  it('adds what is missing and keeps comments, order and the style of lists', () => {
    assert.equal(
      linked(SAMPLE, URLS).text,
      SAMPLE.replace(
        '    enabled: false\n',
        `    enabled: false
    external_url: https://tracing.example.com/jaeger/
  grafana:
    external_url: https://grafana.example.com/
`,
      ),
    )
  })

  it('remembers what was in its place', () => {
    const { text, replaced } = linked('external_services:\n  grafana:\n    external_url: http://old/\n', URLS)
    assert.deepEqual(replaced, { grafana: 'http://old/', tracing: null })
    assert.equal(parse(text).external_services.grafana.external_url, URLS.grafana)
  })

  it('works in an empty configuration', () => {
    assert.equal(parse(linked('', URLS).text).external_services.tracing.external_url, URLS.tracing)
  })
})

describe('unlinked', () => {
  it('takes back what is ours and keeps what was edited since', () => {
    const { text, replaced } = linked(SAMPLE, URLS)
    const edited = text.replace('anonymous', 'token')
    assert.equal(unlinked(edited, URLS, replaced), SAMPLE.replace('anonymous', 'token'))
  })

  it('puts back what was in its place', () => {
    const before = 'external_services:\n  grafana:\n    external_url: http://old/\n'
    const { text, replaced } = linked(before, URLS)
    assert.deepEqual(parse(unlinked(text, URLS, replaced)).external_services.grafana, { external_url: 'http://old/' })
  })

  it('leaves an address that somebody has set since', () => {
    const { text, replaced } = linked(SAMPLE, URLS)
    const edited = text.replace(URLS.grafana, 'http://mine/')
    assert.equal(parse(unlinked(edited, URLS, replaced)).external_services.grafana.external_url, 'http://mine/')
  })
})

describe('disabledIn', () => {
  it('names what Kiali is told not to ask', () => {
    assert.deepEqual(disabledIn(SAMPLE, ['grafana', 'tracing']), ['tracing'])
  })
})
