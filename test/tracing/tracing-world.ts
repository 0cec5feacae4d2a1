/** A mesh with Jaeger, in which traces arrive as soon as the mesh configuration and a Telemetry say so. */
import type { KubeObject, PodAnswer } from '../../src/cluster/cluster.ts'
import type { ConfigMap } from '../../src/cluster/objects.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { ProbeTarget } from '../../src/probing/prober.ts'
import { type TracingOffRequest, tracingOff } from '../../src/tracing/off.ts'
import { tracingOn } from '../../src/tracing/on.ts'
import type { TracingRequest } from '../../src/tracing/plan.ts'
import type { TracingReport } from '../../src/tracing/result.ts'
import type { AskInside } from '../../src/world.ts'
import { requestFor } from '../exposing/exposing.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { type FakeWorld, fakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, jaeger } from '../fakes/mesh.ts'
import { istiod } from '../installing/installing.ts'
import { meshOf } from './mesh.ts'

export const MESH = 'defaultConfig:\n  discoveryAddress: istiod.istio-system.svc:15012\nrootNamespace: istio-system\n'

export const request: TracingRequest = { timeout: 20_000, yes: true, dryRun: 'none' }

/** Jaeger whose collector also takes OpenTelemetry, as in Istio's sample. */
export function jaegerWithOtlp(namespace?: string): KubeObject[] {
  return jaeger(namespace).map((object) => {
    if (object.metadata.name !== 'jaeger-collector') return object
    const { ports, ...spec } = object.spec as { ports: object[] }
    const otlp = [
      { name: 'grpc-otel', port: 4317, targetPort: 4317 },
      { name: 'http-otel', port: 4318, targetPort: 4318 },
    ]
    return { ...object, spec: { ...spec, ports: [...ports, ...otlp] } }
  })
}

/** @param more instead of the ConfigMap `istio` with MESH */
export function mesh(...more: KubeObject[]): KubeObject[] {
  const maps = more.some(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'istio')
    ? more
    : [owned(meshOf(MESH)), ...more]
  return [istiod(), ...jaegerWithOtlp(), ...grafana(), ...ingressGateway(), ...maps]
}

/** As istioctl applies it. */
export function owned(configMap: ConfigMap, manager = 'istio-operator'): ConfigMap {
  const fieldsV1 = { 'f:data': { 'f:mesh': {} } }
  const entry = {
    manager,
    operation: 'Apply',
    apiVersion: 'v1',
    time: '2026-11-20T00:00:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1,
  }
  return { ...configMap, metadata: { ...configMap.metadata, managedFields: [entry] } }
}

export interface TracingWorld extends FakeWorld {
  askInside: AskInside
  /** What a proxy answers at its admin port. */
  admin: Record<string, string>
}

/** Whether requests are traced, as far as the fake backend has to know. */
function isOn({ objects }: FakeCluster): boolean {
  const named = objects.flatMap(({ kind, spec }) => (kind === 'Telemetry' ? JSON.stringify(spec) : []))
  const texts = objects.flatMap(({ kind, data }) =>
    kind === 'ConfigMap' ? [(data as { mesh?: string })?.mesh ?? ''] : [],
  )
  return texts.some((text) => [...text.matchAll(/name: (\S+)/g)].some(([, name]) => named.join().includes(`"${name}"`)))
}

export function tracingWorld(objects: KubeObject[] = mesh(), answers?: Record<string, unknown>): TracingWorld {
  const cluster = new FakeCluster(objects)
  cluster.groups = { ...cluster.groups, 'telemetry.istio.io': ['v1', 'v1alpha1'] }
  const fake = fakeWorld(cluster, new FakeTerminal(answers))
  const traces = new Set<string>()
  const { probe } = fake.prober
  fake.prober.probe = (target: ProbeTarget) => {
    const id = target.headers?.['x-b3-traceid']
    if (id !== undefined && isOn(cluster)) traces.add(id)
    return probe.call(fake.prober, target)
  }
  cluster.podAnswers = (_, { path }) => traceAnswer(path, traces)
  const admin: Record<string, string> = {}
  const askInside: AskInside = async ({ path }) => {
    const body = admin[path]
    return body === undefined ? undefined : { status: 200, body }
  }
  return { ...fake, admin, askInside }
}

/** As Jaeger answers below its base path. */
function traceAnswer(path: string, traces: ReadonlySet<string>): PodAnswer {
  if (path === '/jaeger/api/services') return { status: 200, body: '{"data":[]}' }
  const [, id = ''] = /^\/jaeger\/api\/traces\/(\w+)$/.exec(path) ?? []
  if (!traces.has(id)) return { status: 404, body: '{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}' }
  const processes = { p1: { serviceName: 'istio-ingressgateway.istio-system' }, p2: { serviceName: 'web.shop' } }
  const spans = ['p1', 'p2', 'p2'].map((processID) => ({ traceID: id, processID }))
  return { status: 200, body: JSON.stringify({ data: [{ traceID: id, spans, processes }] }) }
}

/** With Grafana exposed, so that something can be requested. */
export async function exposedWorld(objects?: KubeObject[], answers?: Record<string, unknown>): Promise<TracingWorld> {
  const world = tracingWorld(objects, answers)
  await expose(requestFor('grafana'), world)
  world.cluster.writes.length = 0
  return world
}

export function on(world: TracingWorld, more: Partial<TracingRequest> = {}): Promise<TracingReport> {
  return tracingOn({ ...request, ...more }, world)
}

export function off(world: FakeWorld, more: Partial<TracingOffRequest> = {}) {
  return tracingOff({ yes: true, dryRun: 'none', ...more }, world)
}

export function meshText({ cluster }: FakeWorld, name = 'istio'): string {
  const found = cluster.objects.find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name,
  ) as ConfigMap
  return found.data?.mesh ?? ''
}
