/** Which Prometheus servers a cluster has, and where their configuration is: pure, over its objects. Names are anybody's choice. */
import type { KubeObject, Metadata, Resource } from '../cluster/cluster.ts'
import type { Container, Deployment, Pod } from '../cluster/objects.ts'
import { DEPLOYMENTS, PROMETHEUSES, STATEFUL_SETS } from '../cluster/resources.ts'

type Workload = Deployment & { spec: { selector?: { matchLabels?: Record<string, string> } } }

export interface FoundPrometheus {
  /** Deployments, StatefulSets, or the operator's Prometheuses. */
  resource: Resource
  object: KubeObject
  namespace: string
  name: string
  /** Its pods carry these. */
  podLabels: Record<string, string>
  /** The container that Prometheus runs in. */
  container: string
  port: number
  /** Where its API is: '' or `/prometheus`. */
  basePath: string
  /** Where prometheus.yml is; `undefined` when it is in no ConfigMap, or an operator writes it. */
  configuration: { configMap: string; key: string } | undefined
  /** The path of prometheus.yml in the container. */
  configFile: string
  /** Whether its data goes with the pod. */
  losesData: boolean
  /** Whether something tells it of a changed prometheus.yml. */
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
    [field: string]: unknown
  }
}

export interface LabelSelector {
  matchLabels?: Record<string, string>
  matchExpressions?: { key: string; operator: string; values?: string[] }[]
}

/** @param workloads Deployments and StatefulSets. @param made the operator's objects */
export function findPrometheuses(workloads: { resource: Resource; object: Workload }[], made: PrometheusObject[]) {
  const own = workloads
    .filter(({ object }) => !isMadeBy(object, 'Prometheus'))
    .flatMap(({ resource, object }) => ofWorkload(resource, object) ?? [])
  return [...made.map(ofOperator), ...own]
}

/** `istio-system/prometheus`: how people name one, in flags and on pages. */
export function prometheusName({ namespace, name }: Pick<FoundPrometheus, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`
}

/** The kind of what makes an object, where that is somebody. */
export function makerOf({ metadata }: KubeObject): string | undefined {
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
  const configFile = argument(server, 'config.file') ?? '/etc/prometheus/prometheus.yml'
  const data = argument(server, 'storage.tsdb.path') ?? '/prometheus'
  return {
    resource,
    object,
    ...placeOf(object.metadata),
    podLabels: selector?.matchLabels ?? template.metadata.labels ?? {},
    container: server.name,
    port: portOf(argument(server, 'web.listen-address')),
    basePath: basePathOf(argument(server, 'web.route-prefix'), argument(server, 'web.external-url')),
    configuration: configMapOf(template.spec, server, configFile),
    configFile,
    losesData: isLost(template.spec, server, data, object),
    reloads: template.spec.containers.some(reloads),
  }
}

function ofOperator(object: PrometheusObject): FoundPrometheus {
  const { routePrefix, externalUrl, storage } = object.spec
  return {
    resource: PROMETHEUSES,
    object,
    ...placeOf(object.metadata),
    podLabels: { 'operator.prometheus.io/name': object.metadata.name, 'app.kubernetes.io/name': 'prometheus' },
    container: 'prometheus',
    port: 9090,
    basePath: basePathOf(routePrefix, externalUrl),
    configuration: undefined,
    configFile: '',
    losesData: storage === undefined || storage.emptyDir !== undefined,
    reloads: true,
  }
}

/** By its arguments, else by its image; exporters and Alertmanager have a `--config.file` too. */
function isServer(container: Container): boolean {
  const { image = '' } = container
  const storage = (container.args ?? []).some((one) => /^--storage\.(tsdb|agent)\./.test(one))
  return storage || /(^|\/)prometheus(:|@|$)/.test(image)
}

/** Tells Prometheus: a container beside it, or itself (`--config.auto-reload-interval`). */
function reloads({ image = '', args = [] }: Container): boolean {
  return /reload/.test(image) || args.some((one) => /reload-url|webhook-url=.*\/-\/reload|auto-reload/.test(one))
}

/** `--NAME=VALUE`, `--NAME VALUE`. */
function argument({ args = [] }: Container, name: string): string | undefined {
  const index = args.findIndex((one) => one === `--${name}` || one.startsWith(`--${name}=`))
  const found = args[index]
  return found?.includes('=') ? found.slice(found.indexOf('=') + 1) : found && args[index + 1]
}

function portOf(address: string | undefined): number {
  return Number(/:(\d+)$/.exec(address ?? '')?.[1] ?? 9090)
}

/** https://prometheus.io/docs/prometheus/latest/command-line/prometheus/: the prefix is the path of the external URL when it is not given. */
function basePathOf(prefix: string | undefined, externalUrl: string | undefined): string {
  const path = prefix ?? (externalUrl === undefined ? '' : pathOf(externalUrl))
  return path.replace(/^\/?(.*?)\/*$/, (_, inner: string) => (inner === '' ? '' : `/${inner}`))
}

function pathOf(url: string): string {
  return URL.canParse(url) ? new URL(url).pathname : url
}

/** The ConfigMap that is mounted where the file is, and its key. */
function configMapOf(spec: Pod['spec'], server: Container, file: string): FoundPrometheus['configuration'] {
  const mount = mountOf(server, file)
  if (mount === undefined) return undefined
  const volume = (spec.volumes ?? []).find(({ name }) => name === mount.name)
  const inside = mount.subPath ?? file.slice(mount.mountPath.length).replace(/^\//, '')
  const projected = (volume?.projected as { sources?: { configMap?: Source }[] } | undefined)?.sources ?? []
  const sources = [volume?.configMap as Source | undefined, ...projected.map(({ configMap }) => configMap)]
  for (const source of sources.filter((one) => one?.name !== undefined)) {
    const items = source?.items
    const key = items === undefined ? inside : items.find(({ path }) => path === inside)?.key
    if (key !== undefined && source?.name !== undefined) return { configMap: source.name, key }
  }
  return undefined
}

interface Source {
  name?: string
  items?: { key: string; path: string }[]
}

/** The mount that a file is in: the innermost. */
function mountOf(server: Container, file: string) {
  const mounts = (server.volumeMounts ?? []) as { name: string; mountPath: string; subPath?: string }[]
  return mounts
    .filter(({ mountPath }) => file === mountPath || file.startsWith(`${mountPath.replace(/\/$/, '')}/`))
    .toSorted((a, b) => b.mountPath.length - a.mountPath.length)[0]
}

function isLost(spec: Pod['spec'], server: Container, data: string, object: Workload): boolean {
  const mount = mountOf(server, data)
  const claims = (object.spec as { volumeClaimTemplates?: { metadata: Metadata }[] }).volumeClaimTemplates ?? []
  if (mount === undefined) return true
  if (claims.some(({ metadata }) => metadata.name === mount.name)) return false
  return (spec.volumes ?? []).some(({ name, emptyDir }) => name === mount.name && emptyDir !== undefined)
}

function placeOf({ namespace = '', name }: Metadata): { namespace: string; name: string } {
  return { namespace, name }
}

/** The resources that a Prometheus may be found in, the operator's aside. */
export const PROMETHEUS_WORKLOADS = [DEPLOYMENTS, STATEFUL_SETS]
