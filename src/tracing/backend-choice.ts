/** Which tracing backend takes the spans. Where traces go is a decision of the user, unless there is only one place that the mesh's own namespace vouches for. */
import { type Collector, collectorAt, collectorsIn } from '../backends/collectors.ts'
import { findBackends, type TracingBackend } from '../backends/find.ts'
import { isStaying, type Service } from '../cluster/objects.ts'
import { UserError } from '../errors.ts'
import { sh } from '../shell.ts'
import type { Dependencies } from '../world.ts'
import type { Revision } from './facts.ts'

/** `--backend svc/NAME.NAMESPACE[:PORT]`. */
export interface NamedBackend {
  name: string
  namespace: string
  port: number | undefined
}

export interface ChosenBackend {
  /** The best one first. */
  collectors: [Collector, ...Collector[]]
  /** Where traces can be looked for; `undefined` if no backend is known behind the collector. */
  backend: TracingBackend | undefined
}

type Needs = Pick<Dependencies, 'cluster' | 'terminal'>

/**
 * @throws UserError TRACING_BACKEND_NOT_FOUND, TRACING_BACKEND_AMBIGUOUS, TRACING_BACKEND_ELSEWHERE, TRACING_BACKEND_UNUSABLE
 */
export async function chooseBackend(
  named: NamedBackend | undefined,
  services: readonly Service[],
  revisions: readonly Revision[],
  world: Needs,
): Promise<ChosenBackend> {
  const found = await findBackends(services, world.cluster)
  if (named !== undefined) return namedBackend(named, services, found)
  const usable = found.filter(({ collectors }) => collectors.length > 0)
  const backend = await onlyBackend(usable, found, revisions, world)
  return { collectors: backend.collectors as ChosenBackend['collectors'], backend }
}

function namedBackend(
  { name, namespace, port }: NamedBackend,
  services: readonly Service[],
  found: readonly TracingBackend[],
): ChosenBackend {
  const service = services.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name)
  const look = sh`kubectl -n ${namespace} get service ${name}`
  if (service === undefined || !isStaying(service)) throw unusable(`Service ${namespace}/${name} does not exist`, look)
  const ports = (service.spec.ports ?? []).map((one) => one.port)
  const all = `its ports: ${ports.join(', ') || 'none'}`
  if (port !== undefined && !ports.includes(port))
    throw unusable(`Service ${namespace}/${name} has no port ${port}; ${all}`, look)
  const collector = port === undefined ? collectorsIn([service])[0] : collectorAt(service, port)
  if (collector === undefined) {
    const which = port === undefined ? 'any port' : `port ${port}`
    const message = `nothing says that ${which} of Service ${namespace}/${name} takes spans (4317 and 4318 do for OpenTelemetry, 9411 for Zipkin, 11800 for SkyWalking); ${all}`
    throw unusable(message, look)
  }
  const behind = found.filter(({ collectors }) => collectors.some((one) => isSame(one, collector)))
  // An OpenTelemetry Collector may stand before the only backend.
  const [backend] = behind.length > 0 ? behind : found.length === 1 ? found : []
  return { collectors: [collector], backend }
}

function isSame(one: Collector, other: Collector): boolean {
  return one.namespace === other.namespace && one.service === other.service && one.port === other.port
}

async function onlyBackend(
  usable: readonly TracingBackend[],
  found: readonly TracingBackend[],
  revisions: readonly Revision[],
  { terminal }: Needs,
): Promise<TracingBackend> {
  const [first, second] = usable
  if (first === undefined) throw notFound(found)
  if (second !== undefined) {
    if (!terminal.interactive) throw ambiguous(usable)
    return terminal.select(
      'Which tracing backend?',
      usable.map((value) => ({ name: nameOf(value), value })),
    )
  }
  const isKnown = revisions.some(({ namespace }) => namespace === first.namespace)
  // On a terminal the question before the first write names it.
  if (isKnown || terminal.interactive) return first
  throw elsewhere(first)
}

/** `Jaeger in namespace istio-system`. */
function nameOf({ title, namespace }: TracingBackend): string {
  return `${title} in namespace ${namespace}`
}

function flagFor({ collectors: [collector] }: TracingBackend): string {
  const { service, namespace, port } = collector as Collector
  return sh`--backend svc/${service}.${namespace}:${port}`
}

function notFound(found: readonly TracingBackend[]): UserError {
  const [first] = found
  const message =
    first === undefined
      ? 'no tracing backend was found in any namespace: no Service has the labels of Jaeger, Zipkin or SkyWalking'
      : `${found.map(nameOf).join(' and ')} has no Service with a port that takes spans (4317, 4318, 9411, 11800)`
  return new UserError('TRACING_BACKEND_NOT_FOUND', message, {
    suggestions: [
      'kubectl telemetry addons install jaeger   # a backend for trying out',
      '--backend svc/NAME.NAMESPACE:PORT   # such as an OpenTelemetry Collector',
    ],
  })
}

function ambiguous(usable: readonly TracingBackend[]): UserError {
  const message = `there are ${usable.length} tracing backends: ${usable.map(nameOf).join(', ')}`
  return new UserError('TRACING_BACKEND_AMBIGUOUS', message, { suggestions: usable.map(flagFor) })
}

/** Anybody who may create a Service in a namespace can give it the labels of Jaeger, and would get the traces of the mesh. */
function elsewhere(backend: TracingBackend): UserError {
  const message = `the only tracing backend, ${nameOf(backend)}, is not in the namespace of a control plane, and spans of the whole mesh would go there`
  return new UserError('TRACING_BACKEND_ELSEWHERE', message, {
    suggestions: [`${flagFor(backend)}   # if that is right`],
  })
}

function unusable(message: string, look: string): UserError {
  return new UserError('TRACING_BACKEND_UNUSABLE', `--backend: ${message}`, { suggestions: [look] })
}
