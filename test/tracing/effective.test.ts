import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { ConfigMap } from '../../src/cluster/objects.ts'
import { tracingIn } from '../../src/tracing/configuration.ts'
import { effectiveTracing, forAllIn, isTraced } from '../../src/tracing/effective.ts'
import { meshOf, telemetry } from './mesh.ts'

const PROVIDERS = `extensionProviders:
- {name: jaeger, opentelemetry: {service: jaeger-collector.istio-system.svc.cluster.local, port: 4317}}
- {name: own, opentelemetry: {service: otel.apm.svc.cluster.local, port: 4317, dynatraceSampler: {tenant: a}}}
- {name: logs, envoyFileAccessLog: {path: /dev/stdout}}
`

function tracing(text: string, telemetries: KubeObject[], ofIstiod = '', mode: 'CLIENT' | 'SERVER' = 'CLIENT') {
  return effectiveTracing(tracingIn(meshOf(text)), { telemetries, ofIstiod }, mode)
}

const uses = (name: string, more: object = {}) =>
  telemetry('istio-system', 'mesh', [{ providers: [{ name }], ...more }])

describe('effective tracing', () => {
  it('is off without a Telemetry, and without a provider', () => {
    assert.equal(isTraced(tracing(PROVIDERS, [])), false)
    assert.equal(isTraced(tracing('', [telemetry('istio-system', 'mesh', [{ randomSamplingPercentage: 5 }])])), false)
  })

  it('is on with both, at 1 % by default', () => {
    const { provider, sampling, from } = tracing(PROVIDERS, [uses('jaeger')])
    assert.deepEqual([provider?.name, provider?.port, sampling, from], ['jaeger', 4317, 1, { by: 'default' }])
  })

  it('takes the sampling of the Telemetry, else of the mesh configuration, else of istiod', () => {
    const config = `${PROVIDERS}defaultConfig: {tracing: {sampling: 20}}\n`
    const of = (text: string, more: object, ofIstiod: string) => {
      const { sampling, from } = tracing(text, [uses('jaeger', more)], ofIstiod)
      return [sampling, from.by]
    }
    assert.deepEqual(of(config, { randomSamplingPercentage: 0 }, '5'), [0, 'telemetry'])
    assert.deepEqual(of(config, {}, '5'), [20, 'mesh'])
    assert.deepEqual(of(PROVIDERS, {}, '5'), [5, 'istiod'])
    assert.deepEqual(of(PROVIDERS, {}, '500'), [1, 'default'])
    assert.deepEqual(of(config.replace('20', '0'), {}, ''), [1, 'default'])
    // istiod takes 1 % for more than 100.
    assert.deepEqual(of(config.replace('20', '120'), {}, ''), [1, 'mesh'])
  })

  it('leaves the sampling to a provider with a sampler of its own', () => {
    const { sampling, from } = tracing(PROVIDERS, [uses('own', { randomSamplingPercentage: 50 })])
    assert.deepEqual([sampling, from], [undefined, { by: 'provider' }])
  })

  it('merges the Telemetry of a namespace field by field into that of the mesh', () => {
    const own = telemetry('shop', 'own', [{ randomSamplingPercentage: 100 }])
    const { provider, sampling, from } = tracing(PROVIDERS, [uses('jaeger', { randomSamplingPercentage: 3 }), own])
    assert.deepEqual(
      [provider?.name, sampling, from],
      ['jaeger', 100, { by: 'telemetry', namespace: 'shop', name: 'own' }],
    )
    const off = telemetry('shop', 'off', [{ disableSpanReporting: true }])
    assert.equal(isTraced(tracing(PROVIDERS, [uses('jaeger'), off])), false)
  })

  it('tells requests that are sent from those that are received', () => {
    const all = [uses('jaeger'), telemetry('shop', 'own', [{ match: { mode: 'SERVER' }, disableSpanReporting: true }])]
    assert.deepEqual(
      (['CLIENT', 'SERVER'] as const).map((mode) => isTraced(tracing(PROVIDERS, all, '', mode))),
      [true, false],
    )
  })

  it('is off where the named provider does not exist, or takes no traces', () => {
    for (const name of ['nosuch', 'logs']) {
      const { unknown, provider } = tracing(PROVIDERS, [uses(name)])
      assert.deepEqual([unknown, provider], [name, undefined])
    }
  })

  it('uses the default provider of the mesh without any Telemetry', () => {
    const { provider } = tracing(`${PROVIDERS}default_providers: {tracing: [jaeger, own]}\n`, [])
    assert.equal(provider?.name, 'jaeger')
  })

  it('takes the oldest Telemetry of a namespace that has no selector', () => {
    const at = (name: string, time: string, spec = {}): KubeObject => {
      const one = telemetry('shop', name, [], spec)
      return { ...one, metadata: { ...one.metadata, creationTimestamp: time } }
    }
    const all = [
      at('b', '2026-01-02T00:00:00Z'),
      at('a', '2026-01-02T00:00:00Z'),
      at('older', '2026-01-01T00:00:00Z', { selector: { matchLabels: { app: 'web' } } }),
      at('oldest', '2025-01-01T00:00:00Z', { targetRefs: [{ kind: 'Service', name: 'web' }] }),
    ]
    assert.deepEqual(
      forAllIn('shop', all).map(({ metadata }) => metadata.name),
      ['a', 'b'],
    )
  })

  it('takes nothing from a configuration of another shape', () => {
    const odd = ['extensionProviders: 7', 'extensionProviders: [7, {name: 3}, {name: a, zipkin: x}]', '- a', ': :', '']
    for (const text of odd)
      assert.equal(tracingIn(meshOf(text)).providers.filter(({ kind }) => kind !== undefined).length, 0, text)
    assert.deepEqual(tracingIn({ ...meshOf(''), data: undefined } as unknown as ConfigMap).providers, [])
    const spec = { tracing: { providers: 'x' }, selector: 'y' }
    assert.equal(isTraced(tracing(PROVIDERS, [{ ...telemetry('a', 'b', []), spec }])), false)
  })
})
