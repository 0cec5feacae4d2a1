/** Finds the Prometheus servers of a cluster and their configuration. Pure. Users choose the names freely, so names prove nothing. */
import type { KubeObject, Metadata, Resource } from '../cluster/cluster.ts'
import type { LabelSelector } from '../cluster/label-selector.ts'
import { type Container, type Deployment, isStaying, type Pod } from '../cluster/objects.ts'
import { DEPLOYMENTS, PROMETHEUSES, STATEFUL_SETS } from '../cluster/resources.ts'
import { flagOf, wordsOf } from '../workloads/arguments.ts'
import { type ConfigMapFile, mountedFile, mountOf } from '../workloads/mounted-file.ts'

type Workload = Deployment & { spec: { selector?: { matchLabels?: Record<string, string> } } }

export interface FoundPrometheus {
  /** Deployments, StatefulSets, or the operator's Prometheuses. */
  resource: Resource
  object: KubeObject
  namespace: string
  name: string
  /** Labels of its pods. */
  podLabels: Record<string, string>
  /** The container in which Prometheus runs. */
  container: string
  port: number
  /** The address at which it listens: `127.0.0.1:9090`; left out: all addresses of its pod. */
  listensAt?: string | undefined
  /** The path before its API: '' or `/prometheus`. */
  basePath: string
  /** The ConfigMap with prometheus.yml; `undefined` if it is in none, or an operator writes it. */
  configuration: ConfigMapFile | undefined
  /** The path of prometheus.yml in the container. */
  configFile: string
  /** Whether its data is lost with the pod. */
  losesData: boolean
  /** Whether another pod cannot use its data while it runs: a volume of the workload, and the lock of Prometheus in it. */
  holdsData: boolean
  /** Whether something reloads it after a change of prometheus.yml. */
  reloads: boolean
}

/** The operator's object. https://prometheus-operator.dev/docs/api-reference/api/ */
export interface PrometheusObject extends KubeObject {
  spec: {
    routePrefix?: string
    externalUrl?: string
    storage?: { emptyDir?: object; [kind: string]: unknown }
    podMetadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }
    podMonitorSelector?: LabelSelector
    podMonitorNamespaceSelector?: LabelSelector
    hostNetwork?: boolean
    listenLocal?: boolean
    [field: string]: unknown
  }
}

/** Leaves out objects that are being deleted. @param workloads Deployments and StatefulSets. @param operated the operator's objects */
export function findPrometheuses(workloads: { resource: Resource; object: Workload }[], operated: PrometheusObject[]) {
  const own = workloads
    .filter(({ object }) => isStaying(object) && !isMadeBy(object, 'Prometheus'))
    .flatMap(({ resource, object }) => ofWorkload(resource, object) ?? [])
  return [...operated.filter(isStaying).map(ofOperator), ...own]
}

/** The name in flags and on pages: `istio-system/prometheus`. */
export function prometheusName({ namespace, name }: Pick<FoundPrometheus, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`
}

/** The owner of an object, if it has one: `Prometheus k8s`. */
export function makerOf({ metadata }: Pick<KubeObject, 'metadata'>): string | undefined {
  const owners = (metadata.ownerReferences ?? []) as { kind: string; name: string }[]
  return owners[0] && `${owners[0].kind} ${owners[0].name}`
}

function isMadeBy(object: KubeObject, kind: string): boolean {
  return makerOf(object)?.startsWith(`${kind} `) ?? false
}

function ofWorkload(resource: Resource, object: Workload): FoundPrometheus | undefined {
  const { template, selector } = object.spec
  const server = template.spec.containers.find(isServer)
  if (server === undefined) return undefined
  const configFile = flagOf(server, 'config.file') ?? '/etc/prometheus/prometheus.yml'
  const data = flagOf(server, 'storage.tsdb.path') ?? flagOf(server, 'storage.agent.path') ?? '/prometheus'
  return {
    resource,
    object,
    ...placeOf(object.metadata),
    podLabels: selector?.matchLabels ?? template.metadata.labels ?? {},
    container: server.name,
    port: portOf(flagOf(server, 'web.listen-address')),
    listensAt: flagOf(server, 'web.listen-address'),
    basePath: basePathOf(flagOf(server, 'web.route-prefix'), flagOf(server, 'web.external-url')),
    configuration: mountedFile(template.spec, server, configFile),
    configFile,
    losesData: isLost(template.spec, server, data, object),
    holdsData: holdsData(template.spec, server, data),
    reloads: template.spec.containers.some(reloads),
  }
}

function ofOperator(object: PrometheusObject): FoundPrometheus {
  const { routePrefix, externalUrl, storage, listenLocal } = object.spec
  return {
    resource: PROMETHEUSES,
    object,
    ...placeOf(object.metadata),
    podLabels: { 'operator.prometheus.io/name': object.metadata.name, 'app.kubernetes.io/name': 'prometheus' },
    container: 'prometheus',
    port: 9090,
    listensAt: listenLocal === true ? '127.0.0.1:9090' : undefined,
    basePath: basePathOf(routePrefix, externalUrl),
    configuration: undefined,
    configFile: '',
    losesData: storage === undefined || storage.emptyDir !== undefined,
    holdsData: false,
    reloads: true,
  }
}

/** Recognizes the server by its arguments, else by its image; exporters and Alertmanager have a `--config.file` too. */
function isServer(container: Container): boolean {
  const { image = '' } = container
  const storage = wordsOf(container).some((one) => /^--storage\.(tsdb|agent)\./.test(one))
  return storage || /(^|\/)prometheus(:|@|$)/.test(image)
}

/** Whether a container reloads Prometheus: a sidecar, or Prometheus itself (`--config.auto-reload-interval`). */
function reloads(container: Container): boolean {
  return (
    /reload/.test(container.image ?? '') ||
    wordsOf(container).some((one) => /reload-url|webhook-url=.*\/-\/reload|auto-reload/.test(one))
  )
}

function portOf(address: string | undefined): number {
  const port = Number(/:(\d{1,5})$/.exec(address ?? '')?.[1] ?? 9090)
  return port < 65_536 ? port : 9090
}

/** https://prometheus.io/docs/prometheus/latest/command-line/prometheus/: the default prefix is the path of the external URL. */
function basePathOf(prefix: string | undefined, externalUrl: string | undefined): string {
  const path = prefix ?? (externalUrl === undefined ? '' : pathOf(externalUrl))
  return path.replace(/^\/?(.*?)\/*$/, (_, inner: string) => (inner === '' ? '' : `/${inner}`))
}

function pathOf(url: string): string {
  return URL.canParse(url) ? new URL(url).pathname : url
}

function isLost(spec: Pod['spec'], server: Container, data: string, object: Workload): boolean {
  const mount = mountOf(server, data)
  const claims = (object.spec as { volumeClaimTemplates?: { metadata: Metadata }[] }).volumeClaimTemplates ?? []
  if (mount === undefined) return true
  if (claims.some(({ metadata }) => metadata.name === mount.name)) return false
  return !isShared(volumeOf(spec, mount.name))
}

/** With `--storage.tsdb.no-lockfile` the new pod starts beside the old one. */
function holdsData(spec: Pod['spec'], server: Container, data: string): boolean {
  const mount = mountOf(server, data)
  const hasLock = !wordsOf(server).some((word) => /^--storage\.(tsdb|agent)\.no-lockfile$/.test(word))
  return mount !== undefined && hasLock && isShared(volumeOf(spec, mount.name))
}

type Volume = NonNullable<Pod['spec']['volumes']>[number] & { ephemeral?: object; csi?: object }

function volumeOf(spec: Pod['spec'], wanted: string): Volume | undefined {
  return (spec.volumes ?? []).find(({ name }) => name === wanted)
}

/** Whether all pods of a template get the same volume: a claim, a directory of the node, a network file system. */
function isShared(volume: Volume | undefined): boolean {
  if (volume === undefined) return true
  return [volume.emptyDir, volume.ephemeral, volume.csi].every((one) => one === undefined)
}

function placeOf({ namespace = '', name }: Metadata): { namespace: string; name: string } {
  return { namespace, name }
}

/** The kinds of workloads that may run a Prometheus, besides the operator's objects. */
export const PROMETHEUS_WORKLOADS = [DEPLOYMENTS, STATEFUL_SETS]
