/** The lab's application of four services: what tests of routes and of traces build on. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'mocha'
import { insideNode } from '../lab/lab.ts'
import { BOOKINFO, BOOKINFO_PORT, endBookinfo, startBookinfo } from './bookinfo.ts'
import { difference, dump } from './dump.ts'
import { awaitSpans, type Span } from './jaeger-api.ts'
import { Workplace } from './mesh.ts'
import { MeshSettings } from './mesh-settings.ts'
import { podOf } from './mesh-workloads.ts'
import { awaitSamples } from './prometheus-api.ts'
import { requestMetrics } from './request-metrics.ts'

const TRACE = {
  'X-Request-Id': 'b1a8e0c5-3b4a-9d3c-8d0b-4f6f0f1c2d3e',
  'X-B3-Traceid': '463ac35c9f6413ad48485a3953bb6124',
  'X-B3-Spanid': 'a2fb4a1d1a96d312',
  'X-B3-Sampled': '1',
  Traceparent: '00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01',
  Tracestate: 'lab=1',
}

/** Each call within the application is two spans, one of each sidecar. */
const SPANS = ['details', 'productpage', 'productpage', 'productpage', 'ratings', 'reviews', 'reviews']
const ATTEMPTS = 4

const PROVIDERS = {
  zipkin: { zipkin: { service: 'zipkin.istio-system.svc.cluster.local', port: 9411 } },
  otlp: { opentelemetry: { service: 'jaeger-collector.istio-system.svc.cluster.local', port: 4317 } },
}

/** Only requests that come with a decision are recorded. */
const telemetry = (provider: string) => ({
  apiVersion: 'telemetry.istio.io/v1',
  kind: 'Telemetry',
  metadata: { name: 'tracing', namespace: BOOKINFO },
  spec: { tracing: [{ providers: [{ name: provider }], randomSamplingPercentage: 0 }] },
})

/** Labels of the call from reviews to ratings. */
const CALL = {
  destination_service: 'ratings.bookinfo.svc.cluster.local',
  destination_service_name: 'ratings',
  destination_service_namespace: BOOKINFO,
  destination_workload: 'ratings-v1',
  destination_workload_namespace: BOOKINFO,
  destination_canonical_service: 'ratings',
  destination_canonical_revision: 'v1',
  source_workload_namespace: BOOKINFO,
  request_protocol: 'http',
  response_code: '200',
  response_flags: '-',
}
const SOURCE = { source_workload: 'reviews-v1', source_canonical_service: 'reviews', source_canonical_revision: 'v1' }
/** The other proxy knows only the account. */
const PEER = {
  source_workload: 'bookinfo-reviews',
  source_canonical_service: 'bookinfo-reviews',
  source_canonical_revision: 'unknown',
}

interface Answer {
  headers: Record<string, string>
}

describe('the application of four services, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>
  let settings: MeshSettings

  before(() => {
    untouched = dump(workplace)
    settings = new MeshSettings(workplace)
    startBookinfo(workplace)
  })
  after(() => {
    endBookinfo(workplace)
    settings.restore()
    workplace.end()
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  /** Asks productpage from the node, by the pod's address: its sidecar takes the connection. */
  async function ask(path: string, headers: Record<string, string> = {}): Promise<{ head: string; body: string }> {
    const words = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
    const { address } = podOf(workplace, BOOKINFO, 'productpage')
    const answer = await insideNode(['curl', '-sSi', '-m', '10', ...words, `http://${address}:${BOOKINFO_PORT}${path}`])
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    return { head, body }
  }

  /** The headers of traces that reached the last service of the chain productpage, reviews, ratings. */
  async function headersAtTheEnd(): Promise<Record<string, string>> {
    const { body } = await ask('/api/v1/products/0/reviews', { ...TRACE, Authorization: 'Bearer secret' })
    return (JSON.parse(body) as { ratings: Answer }).ratings.headers
  }

  it('shows the answers of the other three on the page of the first', async () => {
    const { head, body } = await ask('/productpage')
    assert.match(head, /^HTTP\/1\.1 200 OK/)
    assert.match(head, /^server: istio-envoy/m)
    assert.match(body, /<pre id="details">[^<]*William Shakespeare[^<]*<\/pre>/)
    assert.match(body, /<pre id="reviews">[^<]*Reviewer1&#34;:5[^<]*extremely entertaining[^<]*<\/pre>/)
  })

  it('has the other paths of bookinfo, and no more', async () => {
    assert.match((await ask('/static/style.css')).head, /^content-type: text\/css/im)
    assert.deepEqual(JSON.parse((await ask('/api/v1/products')).body), [{ id: 0, title: 'The Comedy of Errors' }])
    assert.match((await ask('/details/0')).head, /^HTTP\/1\.1 404/)
  })

  it('passes the headers of a trace on to the last service, and no credentials', async () => {
    assert.deepEqual(await headersAtTheEnd(), TRACE)
  })

  /** Opens the page in a new trace. @returns the spans that Jaeger has of it */
  async function trace(count: number): Promise<Span[]> {
    const [id, parent] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')]
    const zipkin = { 'X-B3-Traceid': id, 'X-B3-Spanid': parent, 'X-B3-Sampled': '1' }
    // Envoy's tracer for OTLP takes the identity of the trace from traceparent, but not its decision.
    const otlp = { Traceparent: `00-${id}-${parent}-01`, 'X-Client-Trace-Id': TRACE['X-Request-Id'] }
    await ask('/productpage', { ...zipkin, ...otlp })
    return awaitSpans(workplace, id, count)
  }
  const services = (spans: Span[]) => spans.map(({ service }) => service.replace(`.${BOOKINFO}`, '')).sort()

  for (const provider of Object.keys(PROVIDERS)) {
    it(`is one trace of four services in Jaeger, reported by ${provider}`, async () => {
      settings.addProviders(...Object.entries(PROVIDERS).map(([name, how]) => ({ name: `lab-${name}`, ...how })))
      workplace.apply(telemetry(`lab-${provider}`))
      let spans: Span[] = []
      for (let attempt = 0; attempt < ATTEMPTS && spans.length < SPANS.length; attempt++)
        spans = await trace(SPANS.length)
      assert.deepEqual(services(spans), SPANS)
    })
  }

  /** The counters of requests that a proxy has, merged with the application's metrics as Prometheus scrapes them. */
  async function counters(app: string): Promise<{ labels: Record<string, string>; value: number }[]> {
    const { address } = podOf(workplace, BOOKINFO, app)
    const metrics = await insideNode(['curl', '-sS', '-m', '10', `http://${address}:15020/stats/prometheus`])
    return [...metrics.matchAll(/^istio_requests_total\{(.*)\} (\d+)$/gm)].map(([, labels = '', value]) => ({
      labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, text]) => [name, text])),
      value: Number(value),
    }))
  }
  const counted = async (app: string, reporter: string) =>
    (await counters(app)).find(
      ({ labels }) => labels.reporter === reporter && labels.destination_workload === 'ratings-v1',
    )

  it('is counted by both proxies of a call as istio_requests_total, with requestMetrics', async () => {
    workplace.apply(requestMetrics())
    const both = async () => [await counted('reviews', 'source'), await counted('ratings', 'destination')]
    let first = await both()
    for (const deadline = Date.now() + 60_000; first.includes(undefined) && Date.now() < deadline; first = await both())
      await ask('/productpage')
    for (let sent = 0; sent < 10; sent++) await ask('/productpage')
    const last = await both()
    assert.deepEqual(
      last.map((counter, at) => (counter?.value ?? 0) - (first[at]?.value ?? 0)),
      [10, 10],
    )
    assert.deepEqual(
      last.map((counter) => counter?.labels),
      [
        { ...CALL, ...SOURCE, reporter: 'source', connection_security_policy: 'unknown' },
        { ...CALL, ...PEER, reporter: 'destination', connection_security_policy: 'mutual_tls' },
      ],
    )
    const series =
      'istio_requests_total{reporter="source",source_workload="reviews-v1",destination_workload="ratings-v1"}'
    assert.ok(await awaitSamples(workplace, `${series} == ${last[0]?.value}`), series)
    workplace.delete(requestMetrics())
  })

  it('passes none on with the switch: the page still works, and the trace ends at the first service', async () => {
    startBookinfo(workplace, { forwards: false })
    const { 'X-Request-Id': fresh, ...others } = await headersAtTheEnd()
    assert.notEqual(fresh, TRACE['X-Request-Id'])
    assert.notEqual(others.Traceparent?.slice(0, 35), TRACE.Traceparent.slice(0, 35))
    assert.match((await ask('/productpage')).body, /Reviewer1&#34;:5/)
    assert.deepEqual(services(await trace(2)), ['productpage'])
  })
})
