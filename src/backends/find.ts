/** Finds the tracing backends of the cluster: where they answer queries, and where they take spans. */
import { rowsOf } from '../addons/catalog.ts'
import { type FoundAddon, findAddon } from '../addons/find.ts'
import { readConfiguration, type SurveyedAddon } from '../addons/survey.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { isReady, isStaying, matchesSelector, type Pod, type Service } from '../cluster/objects.ts'
import { targetsNumbered } from '../gateways/find.ts'
import { type Collector, collectorsIn } from './collectors.ts'

export interface TracingBackend {
  /** `Jaeger`, `Zipkin`, `SkyWalking`. */
  title: string
  namespace: string
  /** The Service of its pages and queries. */
  service: string
  /** Those that are Ready. */
  pods: Pod[]
  /** The port of a pod that answers queries. */
  port: number
  /** The path before its API: '' or `/jaeger`. */
  basePath: string
  https: boolean
  /** Where it takes spans, the best one first. */
  collectors: Collector[]
}

/**
 * Those that labels identify. One that only an annotation names is left out: whoever may write in a namespace can mark a Service there, and
 * traces would go to it.
 */
export async function findBackends(services: readonly Service[], cluster: Cluster): Promise<TracingBackend[]> {
  const all = [...services]
  const found = rowsOf('tracing').flatMap((row) => findAddon(row, all))
  const trusted = found.filter(({ marked }) => marked !== true)
  const surveyed = await readConfiguration(trusted, cluster)
  return surveyed.filter(({ other }) => other === undefined).map((one) => backendOf(one, all))
}

function backendOf({ found, path, https, pods = [] }: SurveyedAddon, services: Service[]): TracingBackend {
  const { addon, namespace, service } = found
  const ready = pods.filter(isReady)
  return {
    title: addon.title,
    namespace,
    service: service.metadata.name,
    pods: ready,
    port: targetsNumbered(service, ready, found.port)[0] ?? found.port,
    // The API of Zipkin is beside its pages, and also at the root.
    basePath: addon.title === 'Zipkin' ? '' : path.replace(/\/$/, ''),
    https: https !== undefined,
    collectors: collectorsIn(services.filter((one) => isBeside(one, found, pods))),
  }
}

/** Whether a Service leads to the pods of the backend, or belongs to the same installation, where other pods take the spans. */
function isBeside(one: Service, { namespace, service }: FoundAddon, pods: Pod[]): boolean {
  const { metadata, spec } = one
  if (!isStaying(one) || metadata.namespace !== namespace) return false
  if (pods.some((pod) => matchesSelector(pod, spec.selector))) return true
  const installation = (labels: Record<string, string> = {}) => labels['app.kubernetes.io/instance'] ?? labels.app
  const own = installation(service.metadata.labels)
  return own !== undefined && installation(metadata.labels) === own
}
