import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parse, parseAllDocuments } from 'yaml'
import type { Collector } from '../../src/backends/collectors.ts'
import { hasCode } from '../../src/errors.ts'
import { withoutProvider, withProvider } from '../../src/tracing/mesh-text.ts'
import { seeded } from '../fakes/random.ts'

const OTLP: Collector = {
  protocol: 'opentelemetry',
  http: false,
  namespace: 'istio-system',
  service: 'jaeger-collector',
  port: 4317,
}
const what = 'mesh in ConfigMap istio-system/istio'
const add = (text: string, collector = OTLP) => withProvider({ text, what }, collector, 'cluster.local')
const remove = (text: string, before?: string) => withoutProvider({ text, what }, before)
const providers = (text: string) =>
  (parse(text) as { extensionProviders?: { name: string }[] }).extensionProviders ?? []

/** The values of a text, where no list and an empty one are the same. */
function valuesOf(text: string): object {
  const { extensionProviders, ...rest } = (parseAllDocuments(text)[0]?.toJS() ?? {}) as Record<string, unknown>
  return { extensionProviders: extensionProviders ?? [], ...rest }
}

/** Texts as installers and people write them. */
const TEXTS: Record<string, string> = {
  "istioctl's": 'defaultConfig:\n  discoveryAddress: istiod.istio-system.svc:15012\nenablePrometheusMerge: true\n',
  'no line end': 'rootNamespace: istio-system\ntrustDomain: cluster.local',
  'a list of others':
    'extensionProviders:\n- name: jaeger\n  zipkin:\n    port: 9411\n    service: a.b\nrootNamespace: x\n',
  'an indented list':
    '# mesh\nextensionProviders:\n    - name: jaeger # old\n      zipkin: {service: a.b, port: 9411}\n\n# rest\naccessLogFile: ""\n',
  'a list in brackets': 'extensionProviders: [{name: a, zipkin: {service: a.b, port: 1}}]\ntrustDomain: td\n',
  'an empty list': 'trustDomain: td\nextensionProviders: []\n',
  'a key without value': 'extensionProviders:\ntrustDomain: td\n',
  null: 'extensionProviders: null\ntrustDomain: td\n',
  'a map in braces': '{trustDomain: td, rootNamespace: r}\n',
  JSON: '{"trustDomain": "td", "extensionProviders": [{"name": "a"}]}',
  'the names of protobuf': 'extension_providers:\n- name: a\ntrust_domain: td\n',
  'Windows lines': 'trustDomain: td\r\nextensionProviders:\r\n- name: a\r\nrootNamespace: r\r\n',
  'all keys indented': '  trustDomain: td\n  rootNamespace: r\n',
  nothing: '',
  'a comment': '# nothing yet',
  'two documents': 'trustDomain: td\n---\nother: 1\n',
  'the list last, no line end': 'trustDomain: td\nextensionProviders:\n- name: a\n  zipkin: {service: a.b, port: 1}',
}

describe('the provider in the text of a mesh configuration', () => {
  for (const [title, text] of Object.entries(TEXTS))
    it(`is added, and removed: ${title}`, () => {
      const after = add(text)
      assert.notEqual(after, text)
      assert.equal(add(after), after)
      const back = remove(after, text)
      assert.deepEqual(valuesOf(back), valuesOf(text))
      assert.equal(remove(back, text), back)
    })

  for (const title of [
    "istioctl's",
    'a list of others',
    'an indented list',
    'Windows lines',
    'all keys indented',
    'two documents',
  ])
    it(`leaves every byte as before in block style: ${title}`, () => {
      const text = TEXTS[title] ?? ''
      assert.equal(remove(add(text), text), text)
    })

  it('is added in block style beside others, which keep their order', () => {
    const before = TEXTS['a list of others'] ?? ''
    assert.equal(
      add(before),
      before.replace(
        'rootNamespace',
        `- name: kubectl-telemetry
  opentelemetry:
    service: jaeger-collector.istio-system.svc.cluster.local
    port: 4317
rootNamespace`,
      ),
    )
  })

  it('has the fields of each protocol', () => {
    const http = { ...OTLP, http: true, port: 4318 }
    const zipkin = { ...OTLP, protocol: 'zipkin' as const, port: 9411 }
    const service = 'jaeger-collector.istio-system.svc.cluster.local'
    assert.deepEqual(providers(add('', http)), [
      { name: 'kubectl-telemetry', opentelemetry: { service, port: 4318, http: { path: '/v1/traces' } } },
    ])
    assert.deepEqual(providers(add('', zipkin)), [{ name: 'kubectl-telemetry', zipkin: { service, port: 9411 } }])
  })

  it('takes the place of an earlier one of ours', () => {
    const first = add('trustDomain: td\n')
    const second = add(first, { ...OTLP, port: 9411, protocol: 'zipkin' })
    assert.equal(providers(second).length, 1)
    assert.equal(remove(second, 'trustDomain: td\n'), 'trustDomain: td\n')
  })

  it('is removed after the user has changed the rest', () => {
    const before = 'trustDomain: td\n'
    const edited = `# mine\n${add(before).replace('td', 'other')}accessLogFile: /dev/stdout\n`
    assert.equal(remove(edited, before), '# mine\ntrustDomain: other\naccessLogFile: /dev/stdout\n')
    const beside = add(before).replace('extensionProviders:\n', 'extensionProviders:\n- name: mine\n')
    assert.deepEqual(providers(remove(beside, before)), [{ name: 'mine' }])
    assert.equal(remove('trustDomain: td\n', before), 'trustDomain: td\n')
  })

  for (const [title, text, why] of [
    ['no YAML', 'a: b: c\n', /line 1, column 4/],
    ['a list', '- a\n', /it is not a map/],
    ['an alias', 'x: &p\n- name: a\nextensionProviders: *p\n', /cannot be changed safely/],
    ['both names', 'extensionProviders: []\nextension_providers: []\n', /twice/],
    ['a text as value', 'extensionProviders: none\n', /cannot be changed safely/],
    ['deep nesting', `a: ${'['.repeat(500)}`, /nested too deeply/],
  ] as const)
    it(`is not added where the text cannot be changed safely: ${title}`, () => {
      assert.throws(
        () => add(text),
        (error) => hasCode(error, 'YAML_INVALID') && why.test(error.message) && error.message.includes(what),
      )
    })

  it('comes and goes without a trace in texts that are put together at random', () => {
    const random = seeded(36)
    const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T
    const parts = [
      'trustDomain: td',
      'rootNamespace: istio-system # here',
      '# a comment',
      '',
      'defaultConfig:\n  tracing: {sampling: 10}',
      'accessLogFormat: |\n  [%START_TIME%]\n\n  "a: b"\n',
      'localityLbSetting: {enabled: true}',
      'defaultProviders:\n  metrics: [prometheus]\n',
      "meshId: 'a # b'",
    ]
    const lists = [
      'extensionProviders:\n- name: a\n  zipkin:\n    service: s\n',
      'extensionProviders:\n  - name: a\n  # after a\n  - name: b\n',
      'extensionProviders: [ {name: a} , ]',
      'extensionProviders: []',
    ]
    for (let count = 0; count < 300; count++) {
      const chosen = [...new Set(Array.from({ length: 5 }, () => pick(parts)))]
      if (random() < 0.6) chosen.splice(Math.floor(random() * chosen.length), 0, pick(lists))
      const end = pick(['\n', '\r\n'])
      const text = chosen.join('\n').replaceAll('\n', end) + pick(['', end])
      const after = add(text)
      assert.deepEqual(valuesOf(remove(after, text)), valuesOf(text), JSON.stringify(text))
      const { extensionProviders: had = [], ...rest } = (parse(text) ?? {}) as { extensionProviders?: unknown[] }
      const { extensionProviders: has = [], ...kept } = parse(after) as { extensionProviders?: unknown[] }
      assert.deepEqual(kept, rest)
      assert.deepEqual(has?.slice(0, -1), had)
    }
  })
})
