/** Where the trace of a test request was lost: asks the proxies that the request passed what they know of the collector. */
import type { Collector } from '../../backends/collectors.ts'
import type { TracingBackend } from '../../backends/find.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { Pod } from '../../cluster/objects.ts'
import { type Finding, fails } from '../../findings.ts'
import { sh } from '../../shell.ts'
import { controlPlaneOf } from '../../workloads/control-plane.ts'
import type { AskInside } from '../../world.ts'
import type { RevisionProvider } from '../provider.ts'
import type { Loss, TraceHop } from './proof.ts'
import type { TraceTarget } from './target.ts'

interface Lost {
  hop: TraceHop
  finding: Finding
}

interface Way {
  target: TraceTarget
  providers: readonly RevisionProvider[]
  backend: TracingBackend
  /** Milliseconds that were waited. */
  waited: number
}

const ADMIN = 15_000
const TIMEOUT = 10_000

/** The first hop of the way that shows a fault; the backend if none does. */
export async function whereLost(
  { probe, error }: Loss,
  way: Way,
  needs: { cluster: Cluster; askInside: AskInside },
): Promise<Lost> {
  const { target, backend, waited } = way
  if (probe.status === undefined || probe.hop === 'route') {
    const why = probe.message ?? `the answer is ${probe.status}`
    return lost('request', `the request to ${target.url} did not get through: ${why}`, sh`curl -v ${target.url}`)
  }
  const atProxy = await askProxies(way, needs)
  if (atProxy !== undefined) return atProxy
  const { title, namespace, service } = backend
  const why =
    error === undefined
      ? `${title} (Service ${namespace}/${service}) does not have it after ${Math.round(waited / 1000)} s`
      : error.message
  return lost('backend', why, sh`kubectl -n ${namespace} logs -l app=${title.toLowerCase()} --tail=20`)
}

async function askProxies(
  { target: { pods }, providers }: Way,
  { cluster, askInside }: { cluster: Cluster; askInside: AskInside },
): Promise<Lost | undefined> {
  const [pod] = pods
  if (pod === undefined) return undefined
  const { namespace = '', name } = pod.metadata
  const { revision } = controlPlaneOf([pod])
  const own = providers.find((one) => one.revision.revision === revision)
  const place = `pod ${namespace}/${name}`
  if (own === undefined) {
    const message = `the proxy of ${place} belongs to revision ${revision}, where tracing was not switched on`
    return lost('proxy', message, sh`kubectl telemetry tracing on --revision ${revision}`)
  }
  const ask = async (path: string) => {
    const answer = await askInside({ pod: { namespace, name }, port: ADMIN, path, timeout: TIMEOUT }, cluster)
    return answer !== undefined && 'status' in answer && answer.status === 200 ? answer.body : undefined
  }
  const [listeners, clusters] = [await ask('/config_dump?resource=dynamic_listeners'), await ask('/clusters')]
  return withoutTracing(place, pod, listeners, own) ?? withoutCollector(place, clusters, own.collector)
}

/** `undefined` if it has the provider, or could not be asked. */
function withoutTracing(
  place: string,
  { metadata: { namespace, name } }: Pod,
  listeners: string | undefined,
  { collector, name: provider, revision }: RevisionProvider,
): Lost | undefined {
  if (listeners === undefined || listeners.includes(clusterPrefix(collector))) return undefined
  const message = `the proxy of ${place} does not have the provider ${provider}: istiod ${revision.namespace} (revision ${revision.revision}) has not configured it`
  return lost(
    'proxy',
    message,
    sh`istioctl proxy-config listeners ${name}.${namespace} -o json   # look for "tracing"`,
    sh`kubectl -n ${revision.namespace} logs deploy/istiod --tail=50   # it says why`,
  )
}

function clusterPrefix({ service, namespace, port }: Collector): string {
  return `outbound|${port}||${service}.${namespace}.svc.`
}

/** What `/clusters` says of the collector's endpoints: `CLUSTER::ADDRESS::cx_connect_fail::3`. */
function withoutCollector(place: string, clusters: string | undefined, collector: Collector): Lost | undefined {
  if (clusters === undefined) return undefined
  const { service, namespace, port } = collector
  const lines = clusters.split('\n').filter((line) => line.startsWith(clusterPrefix(collector)))
  const sum = (name: string) =>
    lines.reduce((total, line) => total + (line.includes(`::${name}::`) ? Number(line.split('::').at(-1)) || 0 : 0), 0)
  const look = sh`kubectl -n ${namespace} get endpointslices -l kubernetes.io/service-name=${service}`
  if (lines.length === 0) {
    const why = `has no route to Service ${namespace}/${service}: a Sidecar or exportTo keeps it from its proxy`
    return lost('collector', `the proxy of ${place} ${why}`, sh`kubectl get sidecars.networking.istio.io -A`)
  }
  if (sum('rq_total') === 0 && sum('cx_total') === 0 && !lines.some((line) => line.includes('::cx_active::'))) {
    const why = `Service ${namespace}/${service} has no endpoint for port ${port}`
    return lost('collector', `the proxy of ${place} cannot send spans: ${why}`, look)
  }
  if (sum('rq_success') === 0 && (sum('cx_connect_fail') > 0 || sum('rq_error') > 0 || sum('rq_timeout') > 0)) {
    const why = `connections or requests to Service ${namespace}/${service} port ${port} fail`
    return lost('collector', `the proxy of ${place} cannot send spans: ${why}`, look)
  }
  return undefined
}

function lost(hop: TraceHop, why: string, ...remedies: string[]): Lost {
  return {
    hop,
    finding: fails('TRACE_NOT_ARRIVED', `the trace of the test request did not arrive: ${why}`, ...remedies),
  }
}
