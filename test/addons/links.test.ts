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
      linked(SAMPLE, URLS),
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

  it('replaces an existing address', () => {
    const text = linked('external_services:\n  grafana:\n    external_url: http://old/\n', URLS)
    assert.equal(parse(text).external_services.grafana.external_url, URLS.grafana)
  })

  it('works in an empty configuration', () => {
    assert.equal(parse(linked('', URLS)).external_services.tracing.external_url, URLS.tracing)
  })
})

describe('unlinked', () => {
  it('removes the links and keeps later edits', () => {
    const text = linked(SAMPLE, URLS)
    const edited = text.replace('anonymous', 'token')
    assert.equal(unlinked(edited, SAMPLE, URLS), SAMPLE.replace('anonymous', 'token'))
  })

  it('restores the value before', () => {
    const before = 'external_services:\n  grafana:\n    external_url: http://old/\n'
    const text = linked(before, URLS)
    assert.deepEqual(parse(unlinked(text, before, URLS)).external_services.grafana, { external_url: 'http://old/' })
  })

  it('keeps an address that the user has set since', () => {
    const text = linked(SAMPLE, URLS)
    const edited = text.replace(URLS.grafana, 'http://mine/')
    assert.equal(parse(unlinked(edited, SAMPLE, URLS)).external_services.grafana.external_url, 'http://mine/')
  })
})

describe('disabledIn', () => {
  it('names the integrations that are switched off in Kiali', () => {
    assert.deepEqual(disabledIn(SAMPLE, ['grafana', 'tracing']), ['tracing'])
  })
})
