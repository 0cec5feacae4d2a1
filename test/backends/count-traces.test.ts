import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { countTraces, type TraceSearch } from '../../src/backends/count-traces.ts'
import type { TracingBackend } from '../../src/backends/find.ts'
import type { PodAnswer, PodRequest } from '../../src/cluster/cluster.ts'
import type { Pod } from '../../src/cluster/objects.ts'
import { pod } from '../fakes/mesh.ts'
import { seeded } from '../fakes/random.ts'

const FROM = 1_780_000_000_000
const SEARCH: TraceSearch = {
  userAgent: 'kubectl-telemetry-traffic/0123456789ab',
  services: ['istio-ingressgateway', 'productpage'],
  from: FROM,
  to: FROM + 50_000,
  requests: 1_000,
}

function backend(title: string): TracingBackend {
  return {
    title,
    namespace: 'istio-system',
    service: 'tracing',
    pods: [pod('istio-system', 'backend-1', {}, { name: 'backend' }) as Pod],
    port: 16_686,
    basePath: title === 'Jaeger' ? '/jaeger' : '',
    https: false,
    collectors: [],
  }
}

interface Trace {
  id: string
  at: number
  userAgent: string
  service: string
}

/** A backend with traces, which reads the queries as the real ones do. */
class FakeBackend {
  readonly asked: PodRequest[] = []
  readonly #traces: Trace[]

  constructor(traces: Trace[]) {
    this.#traces = traces
  }

  askPod = async (_: unknown, request: PodRequest): Promise<PodAnswer> => {
    this.asked.push(request)
    const { path, query = {} } = request
    const answer = (body: unknown) => ({ status: 200, body: JSON.stringify(body) })
    if (path === '/jaeger/api/services')
      return answer({ data: [...new Set(this.#traces.map(({ service }) => service))] })
    if (path === '/jaeger/api/traces') {
      const { user_agent } = JSON.parse(query.tags ?? '{}')
      const [start, end] = [Number(query.start) / 1_000, Number(query.end) / 1_000]
      const found = this.#in(start, end, user_agent, Number(query.limit)).filter(
        ({ service }) => service === query.service,
      )
      return answer({ data: found.map(({ id }) => ({ traceID: id, spans: [] })) })
    }
    if (path === '/api/v2/traces') {
      const [end, lookback] = [Number(query.endTs), Number(query.lookback)]
      const wanted = query.annotationQuery?.replace(/^user_agent=/, '') ?? ''
      return answer(
        this.#in(end - lookback, end, wanted, Number(query.limit)).map(({ id }) => [{ traceId: id, id: 'a' }]),
      )
    }
    return { status: 404, body: '' }
  }

  #in(from: number, to: number, userAgent: string, limit: number): Trace[] {
    return this.#traces.filter((one) => one.userAgent === userAgent && one.at >= from && one.at <= to).slice(0, limit)
  }
}

function traces(count: number, changes: Partial<Trace> = {}): Trace[] {
  const random = seeded(count)
  return Array.from({ length: count }, (_, at) => ({
    id: (at + 1).toString(16).padStart(32, '0'),
    at: FROM + Math.floor(random() * 50_000),
    userAgent: SEARCH.userAgent,
    service: 'istio-ingressgateway.istio-system',
    ...changes,
  }))
}

const others = (count: number) =>
  traces(count, { userAgent: 'curl/8' }).map((one) => ({ ...one, id: `f${one.id.slice(1)}` }))

describe('countTraces', () => {
  for (const title of ['Jaeger', 'Zipkin']) {
    it(`counts each trace of the run once, in slices of the time: ${title}`, async () => {
      const fake = new FakeBackend([...traces(1_000), ...others(300)])
      assert.equal(await countTraces(SEARCH, backend(title), fake), 1_000)
      const searches = fake.asked.filter(({ path }) => path.endsWith('/traces'))
      assert.equal(searches.length, 5)
      assert.ok(searches.every(({ query }) => Number(query?.limit) === 1_000))
    })

    it(`sees traces that the clock of a node puts outside of the run: ${title}`, async () => {
      const early = traces(2, { at: FROM - 60_000 })
      const late = traces(3, { at: FROM + 110_000 }).slice(2)
      assert.equal(
        await countTraces({ ...SEARCH, requests: 10 }, backend(title), new FakeBackend([...early, ...late])),
        3,
      )
    })

    it(`has none, and never more than there were requests: ${title}`, async () => {
      assert.equal(await countTraces(SEARCH, backend(title), new FakeBackend(others(20))), 0)
      assert.equal(await countTraces({ ...SEARCH, requests: 7 }, backend(title), new FakeBackend(traces(50))), 7)
    })

    const odd: [what: string, answer: unknown, count: number | RegExp][] = [
      ['a list in place of a map', [], 0],
      ['nothing', null, 0],
      [
        'identities that are none',
        { data: ['istio-ingressgateway', { traceID: 7 }, { traceID: '\u001b[2J' }, null] },
        0,
      ],
      ['no JSON', undefined, /answers 200, or no JSON/],
      ['a very deep answer', JSON.parse('['.repeat(300) + ']'.repeat(300)), /no JSON/],
    ]
    for (const [what, answer, count] of odd)
      it(`reads ${what} without harm: ${title}`, async () => {
        const askPod = async () => ({ status: 200, body: answer === undefined ? '<html>' : JSON.stringify(answer) })
        const counting = countTraces({ ...SEARCH, requests: 1 }, backend(title), { askPod })
        if (typeof count === 'number') assert.equal(await counting, count)
        else await assert.rejects(counting, { code: 'BACKEND_UNREACHABLE', message: count })
      })
  }

  it('asks Jaeger about services of the run only', async () => {
    const names = [
      'istio-ingressgateway.istio-system',
      'productpage.bookinfo',
      'productpage-evil',
      'reviews.bookinfo',
      'jaeger',
    ]
    const fake = new FakeBackend(names.flatMap((service) => traces(1, { service })))
    await countTraces({ ...SEARCH, requests: 1 }, backend('Jaeger'), fake)
    const asked = fake.asked.flatMap(({ query }) => query?.service ?? [])
    assert.deepEqual(asked, ['istio-ingressgateway.istio-system', 'productpage.bookinfo'])
  })

  it('asks nothing of a backend without such an API', async () => {
    assert.equal(await countTraces(SEARCH, backend('SkyWalking'), new FakeBackend(traces(3))), 0)
  })

  it('says so when the backend does not answer', async () => {
    const askPod = async () => ({ failed: 'connection refused' })
    await assert.rejects(countTraces(SEARCH, backend('Jaeger'), { askPod }), { code: 'BACKEND_UNREACHABLE' })
    await assert.rejects(countTraces(SEARCH, { ...backend('Jaeger'), pods: [] }, { askPod }), /no Ready pod/)
  })
})
