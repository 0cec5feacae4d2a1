/** Asks a tracing backend for traces, through the API server's proxy to its pod. Anything may answer in its place, so each field is checked. */
import type { Cluster, PodAnswer } from '../cluster/cluster.ts'
import { UserError } from '../errors.ts'
import { isMap, jsonOf, listOf, mapOf, textOf } from '../shapes.ts'
import { sh } from '../shell.ts'
import { isPlainPath, shown } from '../text.ts'
import type { TracingBackend } from './find.ts'

/** Milliseconds. */
const TIMEOUT = 10_000

/** What a trace has in the backend. */
export interface FoundTrace {
  spans: number
  /** The services that reported them, sorted. */
  services: string[]
}

export type Ask = Pick<Cluster, 'askPod'>

/** https://www.jaegertracing.io/docs/1.62/apis/#http-json and https://zipkin.io/zipkin-api/ */
const APIS: Record<string, { trace(id: string): string; spansIn(answer: unknown): Span[] }> = {
  Jaeger: { trace: (id) => `/api/traces/${id}`, spansIn: spansOfJaeger },
  Zipkin: { trace: (id) => `/api/v2/trace/${id}`, spansIn: spansOfZipkin },
}

interface Span {
  service: string
}

/** Whether the backend can be asked for a trace with a GET request. SkyWalking only answers to POST. */
export function canBeAsked({ title }: Pick<TracingBackend, 'title'>): boolean {
  return Object.hasOwn(APIS, title)
}

/**
 * A trace by its id.
 * @param id 32 hexadecimal digits
 * @returns `undefined` if the backend does not have it
 * @throws UserError BACKEND_UNREACHABLE, FORBIDDEN
 */
export async function readTrace(id: string, backend: TracingBackend, cluster: Ask): Promise<FoundTrace | undefined> {
  const api = APIS[backend.title]
  if (api === undefined) throw backendUnreachable(backend, 'it has no API for GET requests')
  const answer = await askBackend(backend, { path: api.trace(id) }, cluster)
  if (answer.status === 404) return undefined
  if (answer.status !== 200) throw backendUnreachable(backend, `it answers ${answer.status}`)
  const spans = api.spansIn(jsonOf(answer.body))
  if (spans.length === 0) return undefined
  return { spans: spans.length, services: [...new Set(spans.map(({ service }) => service))].sort() }
}

/**
 * One request to the API of the backend.
 * @param request the path below its base path
 * @throws UserError BACKEND_UNREACHABLE, FORBIDDEN
 */
async function askBackend(
  backend: TracingBackend,
  { path, query }: { path: string; query?: Record<string, string> },
  cluster: Ask,
): Promise<Extract<PodAnswer, { status: number }>> {
  const { pods, port, basePath, https } = backend
  const [pod] = pods
  if (pod === undefined) throw backendUnreachable(backend, 'it has no Ready pod')
  const whole = `${basePath}${path}`
  if (!isPlainPath(whole))
    throw backendUnreachable(backend, `its path ${JSON.stringify(shown(basePath))} is not a plain one`)
  const { namespace = '', name } = pod.metadata
  const request = { scheme: https ? ('https' as const) : ('http' as const), port, path: whole, timeout: TIMEOUT }
  const answer = await cluster.askPod({ namespace, name }, query === undefined ? request : { ...request, query })
  if ('failed' in answer) throw backendUnreachable(backend, answer.failed)
  return answer
}

/** What a request is answered with, in JSON. @throws UserError BACKEND_UNREACHABLE, FORBIDDEN */
export async function askForJson(
  backend: TracingBackend,
  request: Parameters<typeof askBackend>[1],
  cluster: Ask,
): Promise<unknown> {
  const { status, body } = await askBackend(backend, request, cluster)
  const answer = status === 200 ? jsonOf(body) : undefined
  if (answer === undefined) throw backendUnreachable(backend, `${request.path} answers ${status}, or no JSON`)
  return answer
}

function backendUnreachable({ title, namespace, service }: TracingBackend, why: string): UserError {
  return new UserError('BACKEND_UNREACHABLE', `${title} (Service ${namespace}/${service}) cannot be asked: ${why}`, {
    suggestions: [sh`kubectl -n ${namespace} get endpointslices -l kubernetes.io/service-name=${service}`],
  })
}

/** The most characters of the name of a service. */
const LONGEST_NAME = 200

function named(value: unknown): Span {
  return { service: (textOf(value) ?? '').slice(0, LONGEST_NAME) }
}

function spansOfJaeger(answer: unknown): Span[] {
  return listOf(mapOf(answer).data)
    .map(mapOf)
    .flatMap(({ spans, processes }) =>
      listOf(spans)
        .filter(isMap)
        .map(({ processID }) => named(mapOf(mapOf(processes)[textOf(processID) ?? '']).serviceName)),
    )
}

function spansOfZipkin(answer: unknown): Span[] {
  return listOf(answer)
    .filter(isMap)
    .map(({ localEndpoint }) => named(mapOf(localEndpoint).serviceName))
}
