/** Counts the traces of requests that had one User-Agent: Envoy writes it into its spans as tag `user_agent`. */
import { isMap, listOf, mapOf, textOf, textsOf } from '../shapes.ts'
import { type Ask, askForJson } from './api.ts'
import type { TracingBackend } from './find.ts'

/** What is searched for. */
export interface TraceSearch {
  userAgent: string
  /** Beginnings of the names of services that report spans: of the gateway, of the Service. */
  services: readonly string[]
  /** Milliseconds since 1970, of the first and the last request. */
  from: number
  to: number
  /** How many requests were sent: there are no more traces. */
  requests: number
}

/** Requests in a slice of the time, so that no answer becomes large: a trace has some 10 KiB. */
const SLICE = 200
/** The most traces of an answer: requests do not arrive evenly. */
const LIMIT = 1_000
/** Milliseconds by which the clocks of nodes may differ from that of this machine. */
const SKEW = 300_000
/** The most services that are asked about. */
const MOST_SERVICES = 3

type Slice = Pick<TraceSearch, 'from' | 'to'>

/** By the title of a backend. */
const SEARCHES: Record<string, (search: TraceSearch, backend: TracingBackend, cluster: Ask) => Promise<Set<string>>> = {
  Jaeger: searchJaeger,
  Zipkin: searchZipkin,
}

/** @throws UserError BACKEND_UNREACHABLE, FORBIDDEN */
export async function countTraces(search: TraceSearch, backend: TracingBackend, cluster: Ask): Promise<number> {
  const found = await SEARCHES[backend.title]?.(search, backend, cluster)
  return Math.min(found?.size ?? 0, search.requests)
}

/** https://www.jaegertracing.io/docs/1.62/apis/#http-json: a service is needed. */
async function searchJaeger(search: TraceSearch, backend: TracingBackend, cluster: Ask): Promise<Set<string>> {
  const { data } = mapOf(await askForJson(backend, { path: '/api/services' }, cluster))
  const services = textsOf(data)
    .filter((name) => search.services.some((one) => name === one || name.startsWith(`${one}.`)))
    .slice(0, MOST_SERVICES)
  const tags = JSON.stringify({ user_agent: search.userAgent })
  const ids = new Set<string>()
  for (const service of services)
    for (const { from, to } of slicesOf(search)) {
      const query = { service, tags, start: `${from}000`, end: `${to}000`, limit: String(LIMIT) }
      const { data: traces } = mapOf(await askForJson(backend, { path: '/api/traces', query }, cluster))
      for (const one of listOf(traces)) add(ids, mapOf(one).traceID)
    }
  return ids
}

/** https://zipkin.io/zipkin-api/ */
async function searchZipkin(search: TraceSearch, backend: TracingBackend, cluster: Ask): Promise<Set<string>> {
  const ids = new Set<string>()
  for (const { from, to } of slicesOf(search)) {
    const times = { endTs: String(to), lookback: String(to - from) }
    const query = { annotationQuery: `user_agent=${search.userAgent}`, ...times, limit: String(LIMIT) }
    for (const trace of listOf(await askForJson(backend, { path: '/api/v2/traces', query }, cluster)))
      add(ids, listOf(trace).filter(isMap)[0]?.traceId)
  }
  return ids
}

function add(ids: Set<string>, id: unknown): void {
  const text = textOf(id)
  if (text !== undefined && /^[0-9a-f]{1,32}$/.test(text)) ids.add(text)
}

function slicesOf({ from, to, requests }: TraceSearch): Slice[] {
  const count = Math.ceil(requests / SLICE)
  const at = (index: number) => Math.round(from + ((to - from) * index) / count)
  return Array.from({ length: count }, (_, index) => ({
    from: at(index) - (index === 0 ? SKEW : 0),
    to: at(index + 1) + (index === count - 1 ? SKEW : 0),
  }))
}
