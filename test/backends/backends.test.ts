import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { canBeAsked, readTrace } from '../../src/backends/api.ts'
import { collectorAt, collectorsIn } from '../../src/backends/collectors.ts'
import { findBackends, type TracingBackend } from '../../src/backends/find.ts'
import { readRecent } from '../../src/backends/recent.ts'
import type { PodAnswer, PodRequest } from '../../src/cluster/cluster.ts'
import type { Service } from '../../src/cluster/objects.ts'
import { hasCode } from '../../src/errors.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { pod, service } from '../fakes/mesh.ts'
import { jaegerWithOtlp } from '../tracing/tracing-world.ts'

async function found(...objects: Parameters<typeof FakeCluster.prototype.objects.push>): Promise<TracingBackend[]> {
  const services = objects.filter(({ kind }) => kind === 'Service') as Service[]
  return findBackends(services, new FakeCluster(objects))
}

const zipkin = [
  service('obs', 'zipkin', { app: 'zipkin' }, { selector: { app: 'zipkin' }, ports: [{ port: 80, targetPort: 9411 }] }),
  pod('obs', 'zipkin-abc', { app: 'zipkin' }, { name: 'zipkin' }),
]

describe('tracing backends', () => {
  it('are found with their API and their collectors, the best first', async () => {
    const [jaeger] = await found(...jaegerWithOtlp())
    assert.deepEqual([jaeger?.title, jaeger?.port, jaeger?.basePath], ['Jaeger', 16686, '/jaeger'])
    assert.deepEqual(
      jaeger?.collectors.map(
        ({ service, port, protocol, http }) => `${service}:${port} ${protocol}${http ? ' http' : ''}`,
      ),
      [
        'jaeger-collector:4317 opentelemetry',
        'jaeger-collector:9411 zipkin',
        'zipkin:9411 zipkin',
        'jaeger-collector:4318 opentelemetry http',
      ],
    )
    const [other] = await found(...zipkin)
    assert.deepEqual([other?.title, other?.port, other?.basePath, other?.collectors.length], ['Zipkin', 9411, '', 1])
  })

  it('take spans at Services of the same installation before other pods, not of others beside them', async () => {
    const labels = (instance: string) => ({
      'app.kubernetes.io/name': 'jaeger',
      'app.kubernetes.io/instance': instance,
    })
    const part = (name: string, instance: string, port: number) => [
      service('obs', name, labels(instance), { selector: { part: name }, ports: [{ port }] }),
      pod('obs', `${name}-abc`, { part: name }, { name: 'jaeger' }),
    ]
    const [backend, ...others] = await found(
      ...part('main-query', 'main', 16686),
      ...part('main-collector', 'main', 4317),
      ...part('strange-collector', 'strange', 4317),
    )
    assert.deepEqual(others, [])
    assert.deepEqual(
      backend?.collectors.map((one) => one.service),
      ['main-collector'],
    )
  })

  it('know the protocol of a port by its number, else by its name', () => {
    const of = (...ports: object[]) => service('n', 's', {}, { ports }) as Service
    assert.equal(collectorAt(of({ port: 9411, name: 'http-query' }), 9411)?.protocol, 'zipkin')
    assert.equal(collectorAt(of({ port: 80, targetPort: 11800 }), 80)?.protocol, 'skywalking')
    assert.equal(collectorAt(of({ port: 55680, name: 'otlp-grpc' }), 55680)?.protocol, 'opentelemetry')
    assert.equal(collectorAt(of({ port: 4317, protocol: 'UDP' }), 4317), undefined)
    assert.equal(collectorAt(of({ port: 3000, name: 'http' }), 3000), undefined)
    assert.equal(collectorAt(of({ port: 4317 }), 4318), undefined)
    assert.deepEqual(collectorsIn([of({ port: 6831, protocol: 'UDP', name: 'zipkin' })]), [])
  })
})

describe('the API of a tracing backend', () => {
  async function asked<T>(
    objects: Parameters<typeof found>,
    answer: (request: PodRequest) => PodAnswer,
    work: (backend: TracingBackend, cluster: FakeCluster) => Promise<T>,
  ): Promise<T> {
    const cluster = new FakeCluster(objects)
    cluster.podAnswers = (_, request) => answer(request)
    const [backend] = await findBackends(objects.filter(({ kind }) => kind === 'Service') as Service[], cluster)
    return work(backend as TracingBackend, cluster)
  }
  const json = (value: unknown): PodAnswer => ({ status: 200, body: JSON.stringify(value) })
  const read = (backend: TracingBackend, cluster: FakeCluster) => readTrace('a1', backend, cluster)

  it('has a trace, or not yet', async () => {
    const processes = { p1: { serviceName: 'b' }, p2: { serviceName: 'a' } }
    const data = [{ spans: [{ processID: 'p1' }, { processID: 'p2' }, { processID: 'p2' }], processes }]
    assert.deepEqual(await asked(jaegerWithOtlp(), () => json({ data }), read), { spans: 3, services: ['a', 'b'] })
    const spans = [{ localEndpoint: { serviceName: 'a' } }, { localEndpoint: null }]
    assert.deepEqual(await asked(zipkin as never, () => json(spans), read), { spans: 2, services: ['', 'a'] })
    for (const [objects, empty] of [
      [jaegerWithOtlp(), { data: null }],
      [zipkin, []],
    ] as const)
      assert.equal(await asked(objects as never, () => json(empty), read), undefined)
    assert.equal(await asked(jaegerWithOtlp(), () => ({ status: 404, body: '' }), read), undefined)
  })

  it('is believed field by field: anything may answer', async () => {
    for (const strange of [
      'x',
      null,
      1,
      [],
      { data: [null, 1, { spans: 'x', processes: 3 }, { spans: [null, { processID: {} }] }] },
    ])
      assert.ok([undefined, 1].includes((await asked(jaegerWithOtlp(), () => json(strange), read))?.spans))
    assert.equal(await asked(zipkin as never, () => ({ status: 200, body: '<html>' }), read), undefined)
    const long = await asked(zipkin as never, () => json([{ localEndpoint: { serviceName: 'x'.repeat(9_999) } }]), read)
    assert.equal(long?.services[0]?.length, 200)
  })

  it('says why it cannot be asked', async () => {
    for (const answer of [{ status: 503, body: '' }, { failed: 'connection refused' }] as PodAnswer[])
      await assert.rejects(
        asked(jaegerWithOtlp(), () => answer, read),
        (error) =>
          hasCode(error, 'BACKEND_UNREACHABLE') && /Jaeger \(Service istio-system\/tracing\)/.test(error.message),
      )
    assert.equal(canBeAsked({ title: 'SkyWalking' }), false)
  })

  it('has traces of the last hour', async () => {
    const to = Date.parse('2026-11-21T12:00:00Z')
    const requests: PodRequest[] = []
    const recent = await asked(
      jaegerWithOtlp(),
      (request) => {
        requests.push(request)
        if (request.path.endsWith('/services')) return json({ data: ['web', 'db'] })
        const both = { traceID: '1', processes: { p: { serviceName: 'web' }, q: { serviceName: 'db' } } }
        const own = { traceID: '2', processes: { p: { serviceName: 'web' } } }
        return json({ data: request.query?.service === 'web' ? [both, own] : [both] })
      },
      (backend, cluster) => readRecent(backend, to, cluster),
    )
    assert.deepEqual(recent, { services: ['db', 'web'], traces: 2, more: false })
    assert.deepEqual(requests[1]?.query, {
      service: 'web',
      start: `${to - 3_600_000}000`,
      end: `${to}000`,
      limit: '20',
    })
    const many = Array.from({ length: 20 }, (_, index) => [
      { traceId: `${index}`, localEndpoint: { serviceName: 'web' } },
    ])
    const more = await asked(
      zipkin as never,
      () => json(many),
      (backend, cluster) => readRecent(backend, to, cluster),
    )
    assert.deepEqual(more, { services: ['web'], traces: 20, more: true })
  })
})
