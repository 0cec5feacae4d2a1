/** What a tracing backend has of the last hour: a few traces of each service, not all of them. */

import { listOf, mapOf, textOf, textsOf } from '../shapes.ts'
import { type Ask, askForJson } from './api.ts'
import type { TracingBackend } from './find.ts'

export interface RecentTraces {
  /** Services that reported spans, sorted. */
  services: string[]
  /** Different traces. */
  traces: number
  /** Whether there may be more of both. */
  more: boolean
}

/** Milliseconds. */
const HOUR = 3_600_000
/** Of an answer: a trace has some 10 KiB. */
const MOST_TRACES = 20
const MOST_SERVICES = 20
/** The most characters of the name of a service. */
const LONGEST_NAME = 200

interface Trace {
  id: string
  services: string[]
}

const READERS: Record<
  string,
  (backend: TracingBackend, to: number, cluster: Ask) => Promise<{ traces: Trace[]; more: boolean }>
> = {
  Jaeger: readJaeger,
  Zipkin: readZipkin,
}

/**
 * @param to milliseconds since 1970: the end of the hour
 * @returns `undefined` for a backend without an API for GET requests
 * @throws UserError BACKEND_UNREACHABLE, FORBIDDEN
 */
export async function readRecent(backend: TracingBackend, to: number, cluster: Ask): Promise<RecentTraces | undefined> {
  const read = await READERS[backend.title]?.(backend, to, cluster)
  if (read === undefined) return undefined
  const services = new Set(read.traces.flatMap((trace) => trace.services))
  const ids = new Set(read.traces.map(({ id }) => id))
  return { services: [...services].sort(), traces: ids.size, more: read.more }
}

/** Jaeger's API only has the traces of one service. */
async function readJaeger(
  backend: TracingBackend,
  to: number,
  cluster: Ask,
): Promise<{ traces: Trace[]; more: boolean }> {
  const names = textsOf(mapOf(await askForJson(backend, { path: '/api/services' }, cluster)).data)
  const chosen = names.slice(0, MOST_SERVICES)
  const times = { start: `${to - HOUR}000`, end: `${to}000`, limit: String(MOST_TRACES) }
  const read = await Promise.all(
    chosen.map(async (service) => {
      const { data } = mapOf(await askForJson(backend, { path: '/api/traces', query: { service, ...times } }, cluster))
      return listOf(data).map((one): Trace => {
        const { traceID, processes } = mapOf(one)
        const services = Object.values(mapOf(processes)).map((process) => nameOf(mapOf(process).serviceName))
        return { id: textOf(traceID) ?? '', services }
      })
    }),
  )
  return { traces: read.flat(), more: names.length > chosen.length || read.some((some) => some.length >= MOST_TRACES) }
}

async function readZipkin(
  backend: TracingBackend,
  to: number,
  cluster: Ask,
): Promise<{ traces: Trace[]; more: boolean }> {
  const query = { endTs: String(to), lookback: String(HOUR), limit: String(MOST_TRACES) }
  const traces = listOf(await askForJson(backend, { path: '/api/v2/traces', query }, cluster)).map((one): Trace => {
    const spans = listOf(one).map(mapOf)
    const services = spans.map(({ localEndpoint }) => nameOf(mapOf(localEndpoint).serviceName))
    return { id: textOf(spans[0]?.traceId) ?? '', services }
  })
  return { traces, more: traces.length >= MOST_TRACES }
}

function nameOf(value: unknown): string {
  return (textOf(value) ?? '').slice(0, LONGEST_NAME)
}
