import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { renderTracingStatus } from '../../src/rendering/tracing.ts'
import { succeeded, tracingStatus } from '../../src/tracing/status.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { expectGolden } from '../golden-file.ts'
import { istiod } from '../installing/installing.ts'
import { meshOf, telemetry } from './mesh.ts'
import { jaegerWithOtlp } from './tracing-world.ts'

/** That of the fake clock. */
const NOW = new Date('2026-11-21T12:00:00Z')

const JAEGER = `extensionProviders:
- name: jaeger
  opentelemetry: {service: jaeger-collector.istio-system.svc.cluster.local, port: 4317}
`

const COLLECTOR: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'jaeger-collector', namespace: 'istio-system' },
  spec: { ports: [{ port: 4317 }] },
}

function cluster(...objects: KubeObject[]): FakeCluster {
  const fake = new FakeCluster(objects)
  fake.groups = { ...fake.groups, 'telemetry.istio.io': ['v1', 'v1alpha1'] }
  return fake
}

const uses = (name: string, namespace = 'istio-system') =>
  telemetry(namespace, 'mesh-default', [{ providers: [{ name }], randomSamplingPercentage: 10 }])

async function codes(...objects: KubeObject[]): Promise<string[]> {
  return (await tracingStatus(cluster(...objects), NOW)).problems.map(({ code }) => code)
}

describe('tracing status', () => {
  it('shows revisions, providers and namespaces', async () => {
    const status = await tracingStatus(
      cluster(
        istiod(),
        istiod('1.30.2', 'istio-system', 'old'),
        meshOf(JAEGER),
        meshOf('defaultConfig: {tracing: {sampling: 30}}', 'istio-old'),
        COLLECTOR,
        uses('jaeger'),
        telemetry('bookinfo', 'all', [{ randomSamplingPercentage: 100 }]),
        telemetry('quiet', 'none', [{ match: { mode: 'CLIENT' }, disableSpanReporting: true }]),
      ),
      NOW,
    )
    expectGolden('tracing-status.txt', renderTracingStatus(status, undefined))
    expectGolden('tracing-status.json', renderTracingStatus(status, 'json'))
    assert.equal(succeeded(status), false)
  })

  it('shows what the backends have of the last hour, or why they cannot be asked', async () => {
    const fake = cluster(istiod(), meshOf(JAEGER), uses('jaeger'), ...jaegerWithOtlp())
    const processes = { p: { serviceName: 'productpage.bookinfo' } }
    fake.podAnswers = (_, { path }) => ({
      status: 200,
      body: JSON.stringify({
        data: path.endsWith('services') ? ['productpage.bookinfo'] : [{ traceID: '1', processes }],
      }),
    })
    const status = await tracingStatus(fake, NOW)
    expectGolden('tracing-status-backends.txt', renderTracingStatus(status, undefined))
    assert.deepEqual(status.problems, [])
    fake.podAnswers = () => ({ failed: 'connection refused' })
    assert.deepEqual(
      (await tracingStatus(fake, NOW)).problems.map(({ code }) => code),
      ['BACKEND_UNREACHABLE'],
    )
  })

  it('says why a default installation traces nothing, and that is no failure', async () => {
    const status = await tracingStatus(cluster(istiod(), meshOf('accessLogFile: /dev/stdout')), NOW)
    expectGolden('tracing-status-off.txt', renderTracingStatus(status, undefined))
    assert.equal(succeeded(status), true)
  })

  it('has no problem with a provider and a Telemetry that fit', async () => {
    assert.deepEqual(await codes(istiod(), meshOf(JAEGER), COLLECTOR, uses('jaeger')), [])
  })

  it('finds what keeps spans from the backend', async () => {
    const base = [istiod(), COLLECTOR]
    assert.deepEqual(await codes(...base, meshOf(JAEGER), uses('zipkin')), ['TRACING_PROVIDER_UNKNOWN'])
    assert.deepEqual(await codes(...base, meshOf(JAEGER.replace('4317', '9411')), uses('jaeger')), [
      'TRACING_SERVICE_UNKNOWN',
    ])
    assert.deepEqual(await codes(istiod(), meshOf(JAEGER), uses('jaeger')), ['TRACING_SERVICE_UNKNOWN'])
    assert.deepEqual(await codes(...base, meshOf(`${JAEGER}a: b: c\n`)), ['MESH_CONFIG_INVALID', 'TRACING_OFF'])
    assert.deepEqual(await codes(...base), ['MESH_CONFIG_UNREAD', 'TRACING_OFF'])
    assert.deepEqual(await codes(...base, meshOf(JAEGER)), ['TRACING_OFF'])
  })

  it('names the Telemetry that istiod ignores, and only where it is about traces', async () => {
    const young = (name: string, spec: object) => ({
      ...telemetry('istio-system', name, []),
      metadata: { name, namespace: 'istio-system', creationTimestamp: '2026-11-01T00:00:00Z' },
      spec,
    })
    const old = { ...uses('jaeger') }
    old.metadata = { ...old.metadata, creationTimestamp: '2026-01-01T00:00:00Z' }
    const all = [istiod(), meshOf(JAEGER), COLLECTOR, old]
    assert.deepEqual(await codes(...all, young('mine', { tracing: [] })), ['TELEMETRY_IGNORED'])
    assert.deepEqual(await codes(...all, young('metrics', { metrics: [] })), [])
  })

  it('does not judge a provider outside the cluster, and not without the right to list Services', async () => {
    const outside = JAEGER.replace('jaeger-collector.istio-system.svc.cluster.local', 'collector.example.com')
    assert.deepEqual(await codes(istiod(), meshOf(outside), uses('jaeger')), [])
    const fake = cluster(istiod(), meshOf(JAEGER), uses('jaeger'))
    fake.fail('list', 'services', new UserError('FORBIDDEN', 'no'))
    assert.deepEqual((await tracingStatus(fake, NOW)).problems, [])
  })

  it('works without the right to list Telemetries, without the API, and without Istio', async () => {
    const fake = cluster(istiod(), meshOf(JAEGER))
    fake.fail('list', 'telemetries', new UserError('FORBIDDEN', 'no'))
    assert.deepEqual((await tracingStatus(fake, NOW)).problems.map(({ code }) => code)[0], 'TELEMETRIES_UNREAD')
    const old = new FakeCluster([istiod(), meshOf(JAEGER)])
    assert.deepEqual(
      (await tracingStatus(old, NOW)).problems.map(({ code }) => code),
      ['TRACING_OFF'],
    )
    assert.deepEqual(
      (await tracingStatus(new FakeCluster([]), NOW)).problems.map(({ severity }) => severity),
      ['warns'],
    )
  })

  it('shows strings of the cluster on one line', async () => {
    const evil = meshOf(`extensionProviders: [{name: "a\\n\\u001b[2Jb", zipkin: {service: "x\\ny", port: 1}}]`)
    const text = renderTracingStatus(
      await tracingStatus(cluster(istiod(), evil, telemetry('n', 'x', [])), NOW),
      undefined,
    )
    assert.ok(!text.includes('\u001b'))
    assert.equal(text.split('\n').filter((line) => line.startsWith('default')).length, 3)
  })
})
