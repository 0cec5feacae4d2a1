import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parse } from 'yaml'
import { type Linking, linked, recordedSettings, settingsIn, unlinked } from '../../src/addons/links.ts'

const URLS = { grafana: 'https://grafana.example.com/', tracing: 'https://tracing.example.com/jaeger/' }
const JAEGER = { url: 'http://tracing.istio-system:16685/jaeger', grpc: true }
/** As Kiali 2's sample. */
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
/** As the chart of Kiali 1.89 writes it. */
const OLD = `external_services:
  grafana:
    enabled: true
    in_cluster_url: http://grafana.istio-system:3000
  tracing:
    enabled: false
    in_cluster_url: ""
`

const link = (text: string, linking: Partial<Linking> = {}): string =>
  linked(text, settingsIn(text, { urls: URLS, ...linking }).settings)
const services = (text: string, linking?: Partial<Linking>) => parse(link(text, linking)).external_services
const hidden = (text: string, linking: Partial<Linking> = {}) => settingsIn(text, { urls: URLS, ...linking }).hidden

describe('linked', () => {
  it('adds what is missing and keeps comments, order and the style of lists', () => {
    assert.equal(
      link(SAMPLE, { version: 2 }),
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
    const { grafana } = services('external_services:\n  grafana:\n    external_url: http://old/\n')
    assert.deepEqual(grafana, { external_url: URLS.grafana })
  })

  it('works in an empty configuration', () => {
    assert.equal(services('').tracing.external_url, URLS.tracing)
  })

  it('writes the keys of Kiali 1.x, and switches tracing on with them', () => {
    assert.deepEqual(services(OLD, { version: 1, jaeger: JAEGER }), {
      grafana: { enabled: true, in_cluster_url: 'http://grafana.istio-system:3000', url: URLS.grafana },
      tracing: { enabled: true, in_cluster_url: JAEGER.url, provider: 'jaeger', url: URLS.tracing },
    })
  })

  it('writes the keys of Kiali 2, and switches tracing on with them', () => {
    assert.deepEqual(services(SAMPLE, { version: 2, jaeger: JAEGER }), {
      prometheus: { enabled: true },
      grafana: { external_url: URLS.grafana },
      tracing: { enabled: true, external_url: URLS.tracing, internal_url: JAEGER.url, provider: 'jaeger' },
    })
  })

  it('takes the keys from the configuration when the image does not say the version', () => {
    assert.equal(services(OLD).grafana.url, URLS.grafana)
    assert.equal(services(OLD).grafana.external_url, undefined)
    assert.equal(services(SAMPLE).grafana.external_url, URLS.grafana)
    const both = 'external_services:\n  grafana:\n    in_cluster_url: a\n  tracing:\n    internal_url: b\n'
    assert.deepEqual(services(both).grafana, { in_cluster_url: 'a', external_url: URLS.grafana })
  })

  it('replaces an old address that Kiali 2 would prefer', () => {
    const text = 'external_services:\n  grafana:\n    url: http://old/\n'
    assert.deepEqual(services(text, { version: 2 }).grafana, { url: URLS.grafana, external_url: URLS.grafana })
  })

  it('keeps the user’s address of Jaeger, and asks by HTTP where there is no gRPC', () => {
    const own = 'external_services:\n  tracing:\n    enabled: false\n    internal_url: http://mine\n'
    assert.equal(services(own, { jaeger: JAEGER }).tracing.internal_url, 'http://mine')
    const { tracing } = services(SAMPLE, { jaeger: { url: 'http://query.tracing:16686', grpc: false } })
    assert.deepEqual([tracing.internal_url, tracing.use_grpc], ['http://query.tracing:16686', false])
  })

  it('leaves tracing that is on, and that of another provider', () => {
    const on = 'external_services:\n  tracing:\n    enabled: true\n'
    assert.deepEqual(services(on, { jaeger: JAEGER }).tracing, { enabled: true, external_url: URLS.tracing })
    const tempo = 'external_services:\n  tracing:\n    enabled: false\n    provider: tempo\n'
    assert.equal(services(tempo, { jaeger: JAEGER }).tracing.enabled, false)
    assert.deepEqual(hidden(tempo, { jaeger: JAEGER }), ['tracing'])
  })

  it('does not switch tracing on without a link to it', () => {
    assert.deepEqual(services(SAMPLE, { urls: { grafana: URLS.grafana }, jaeger: JAEGER }).tracing, { enabled: false })
  })
})

describe('links that Kiali does not show', () => {
  it('are those to add-ons that it does not ask', () => {
    assert.deepEqual(hidden(SAMPLE), ['tracing'])
    assert.deepEqual(hidden(SAMPLE, { jaeger: JAEGER }), [])
    assert.deepEqual(hidden('external_services:\n  grafana:\n    enabled: false\n', { jaeger: JAEGER }), ['grafana'])
  })

  it('depend on the version where the configuration says nothing', () => {
    assert.deepEqual(hidden('', { version: 2 }), ['tracing'])
    assert.deepEqual(hidden('', { version: 1 }), [])
  })
})

describe('unlinked', () => {
  const settings = (text: string) => settingsIn(text, { urls: URLS, jaeger: JAEGER }).settings

  it('removes the links and keeps later edits', () => {
    const edited = link(SAMPLE, { jaeger: JAEGER }).replace('anonymous', 'token')
    assert.equal(unlinked(edited, SAMPLE, settings(SAMPLE)), SAMPLE.replace('anonymous', 'token'))
  })

  it('restores the value before', () => {
    const before = 'external_services:\n  grafana:\n    external_url: http://old/\n'
    const text = link(before, { jaeger: JAEGER })
    assert.deepEqual(parse(unlinked(text, before, settings(before))).external_services, {
      grafana: { external_url: 'http://old/' },
    })
  })

  it('keeps an address that the user has set since', () => {
    const edited = link(SAMPLE, { jaeger: JAEGER }).replace(URLS.grafana, 'http://mine/')
    const { grafana } = parse(unlinked(edited, SAMPLE, settings(SAMPLE))).external_services
    assert.equal(grafana.external_url, 'http://mine/')
  })
})

describe('the record of links', () => {
  it('of the version that only set external_url is understood', () => {
    const recorded = recordedSettings(undefined, URLS)
    const text = linked(SAMPLE, recorded)
    assert.equal(parse(text).external_services.grafana.external_url, URLS.grafana)
    assert.equal(unlinked(text, SAMPLE, recorded), SAMPLE)
  })

  it('names nothing but the keys of links, whoever wrote it', () => {
    const planted = { grafana: { auth: 'x', url: 'y', enabled: [] }, __proto__: { url: 'z' }, prometheus: { url: 'p' } }
    assert.deepEqual(recordedSettings(planted, {}), { grafana: { url: 'y' } })
    for (const value of [null, 'x', [], 3]) assert.deepEqual(recordedSettings(value, URLS), {})
  })
})
