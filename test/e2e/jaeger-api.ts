/** The API of the mesh's sample Jaeger, through the API server. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Workplace } from './mesh.ts'

const SERVICES = '/api/v1/namespaces/istio-system/services'
/** Milliseconds. Envoy sends its spans every five seconds. */
const PATIENCE = 8_000

export interface Span {
  spanID: string
  operationName: string
  references: { refType: string; spanID: string }[]
  /** The name of the service that reported it. */
  service: string
}

/** The spans of a trace as Jaeger has them by now; none when it knows nothing of the trace. */
export function spansOf(workplace: Workplace, trace: string): Span[] {
  const path = `${SERVICES}/http:tracing:80/proxy/jaeger/api/traces/${trace}`
  const { stdout, stderr, exitCode } = workplace.run('kubectl', ['get', '--raw', path])
  if (exitCode !== 0 && /trace not found|could not find the requested resource/.test(stderr)) return []
  if (exitCode !== 0) throw new Error(`kubectl get --raw ${path}: ${stderr}`)
  const { data } = JSON.parse(stdout) as {
    data: { spans: (Span & { processID: string })[]; processes: Record<string, { serviceName: string }> }[]
  }
  return data.flatMap(({ spans, processes }) =>
    spans.map((span) => ({ ...span, service: processes[span.processID]?.serviceName ?? '' })),
  )
}

/** Waits until a trace has so many spans. @returns them, or fewer after the last attempt */
export async function awaitSpans(workplace: Workplace, trace: string, count: number): Promise<Span[]> {
  for (const deadline = Date.now() + PATIENCE; ; await sleep(500)) {
    const spans = spansOf(workplace, trace)
    if (spans.length >= count || Date.now() > deadline) return spans
  }
}

/** Reports a trace of one span, as Zipkin's clients do, and waits until Jaeger has it. */
export async function reportTrace(workplace: Workplace, trace: string): Promise<void> {
  const times = { timestamp: Date.now() * 1_000, duration: 1_000 }
  const span = { traceId: trace, id: trace.slice(16), name: 'test', ...times, localEndpoint: { serviceName: 'test' } }
  const path = `${SERVICES}/http:zipkin:9411/proxy/api/v2/spans`
  const { stderr, exitCode } = workplace.run('kubectl', ['create', '--raw', path, '-f', '-'], {
    input: JSON.stringify([span]),
  })
  if (exitCode !== 0) throw new Error(`kubectl create --raw ${path}: ${stderr}`)
  if ((await awaitSpans(workplace, trace, 1)).length === 0) throw new Error(`Jaeger has no trace ${trace}`)
}

/** The ids of at most 20 traces of a service that began after a time. */
export function tracesSince(workplace: Workplace, service: string, since: number): string[] {
  const query = new URLSearchParams({ service, start: String(since * 1_000), end: String(Date.now() * 1_000) })
  const path = `${SERVICES}/http:tracing:80/proxy/jaeger/api/traces?${query}`
  const { data } = JSON.parse(workplace.kubectl('get', '--raw', path)) as { data: { traceID: string }[] }
  return data.map(({ traceID }) => traceID)
}
