/** Reads what a serving cluster has: the Service, the pods behind it, and the gateway that passes calls on. */
import type { KubeObject } from '../../cluster/cluster.ts'
import { isSelected } from '../../cluster/label-selector.ts'
import { hasEnded, isStaying, matchesSelector, type Namespace, type Pod, type Service } from '../../cluster/objects.ts'
import { readable } from '../../cluster/reading.ts'
import { gateways, NAMESPACES, PODS, SERVICES } from '../../cluster/resources.ts'
import { UserError } from '../../errors.ts'
import { type Finding, notes, warns } from '../../findings.ts'
import { defaultExports, discoverySelectors } from '../../gateways/mesh.ts'
import { sh } from '../../shell.ts'
import { proxyImage } from '../../workloads/proxy.ts'
import { type Entrance, readEntrance } from './entrance.ts'
import { servingHost, subsetName } from './names.ts'
import { type ServedPort, servedPorts } from './ports.ts'
import type { ExportRequest } from './request.ts'
import { coveredBy, isOurs } from './server.ts'
import type { Site } from './site.ts'

/** An exported service in one of the clusters that serve it. */
export interface Served {
  readonly site: Site
  /** `httpbin.bar.svc.cluster.local` */
  readonly host: string
  readonly ports: readonly ServedPort[]
  /** SPIFFE ids of its pods. */
  readonly identities: readonly string[]
  /** Values of the label of `--subsets`, by the name of the subset. */
  readonly subsets: Readonly<Record<string, string>>
  /** `--subsets`; empty without. */
  readonly subsetLabel: string
  readonly entrance: Entrance
  /** Our Gateway, where there is one. */
  readonly ours: KubeObject | undefined
  /** The Gateway of others that passes the host on already. */
  readonly covered: KubeObject | undefined
  readonly warnings: readonly Finding[]
}

/** @throws UserError SERVICE_MISSING, EXPORT_NO_TCP_PORT, EXPORT_WITHOUT_PODS, NOT_IN_MESH, SERVICE_HIDDEN, SUBSET_UNKNOWN, and those of `readEntrance` */
export async function readServed(site: Site, request: ExportRequest): Promise<Served> {
  const { name, namespace } = request.service
  const { cluster, mesh } = site
  const [service, pods, space, all, entrance] = await Promise.all([
    cluster.get<Service>(SERVICES, { name, namespace }),
    cluster.list<Pod>(PODS, { namespace }),
    readable(cluster.get<Namespace>(NAMESPACES, { name: namespace })),
    cluster.list(gateways(site.version)),
    readEntrance(site),
  ])
  if (service === undefined || !isStaying(service)) throw missing(site, request)
  const ports = servedPorts(service.spec.ports)
  if (ports.length === 0) throw noPort(site, request)
  requireVisible(site, service, space)
  const behind = pods.filter((pod) => isBehind(pod, service))
  const { inMesh, warnings } = requireInMesh(behind, site, request)
  const host = servingHost(request.service, mesh.domain)
  const left = (service.spec.ports ?? []).filter(({ protocol = 'TCP' }) => protocol !== 'TCP')
  return {
    site,
    host,
    ports,
    identities: identitiesOf(inMesh, site),
    subsets: request.subsets === undefined ? {} : subsetsOf(inMesh, request.subsets, site),
    subsetLabel: request.subsets ?? '',
    entrance,
    ours: all.find((one) => isOurs(one) && one.metadata.namespace === entrance.gateway.namespace),
    covered: coveredBy(host, all, { gateway: entrance.gateway, port: entrance.port }, entrance.scoped),
    warnings: [...warnings, ...left.map((port) => notServed(`${port.port}/${port.protocol}`, site))],
  }
}

function isBehind(pod: Pod, { spec }: Service): boolean {
  return isStaying(pod) && !hasEnded(pod) && matchesSelector(pod, spec.selector)
}

function missing(site: Site, { service: { name, namespace } }: ExportRequest): UserError {
  return new UserError('SERVICE_MISSING', `cluster ${site.name} has no Service ${namespace}/${name}`, {
    suggestions: [sh`kubectl --context ${site.cluster.context} -n ${namespace} get services`, '-n NAMESPACE'],
  })
}

function noPort(site: Site, { service: { name, namespace } }: ExportRequest): UserError {
  const message = `Service ${namespace}/${name} of cluster ${site.name} has no TCP port, and a gateway passes only TCP on`
  return new UserError('EXPORT_NO_TCP_PORT', message)
}

function notServed(port: string, site: Site): Finding {
  return notes(
    'EXPORT_PORT_LEFT_OUT',
    `port ${port} is not exported from cluster ${site.name}: a gateway passes only TCP on`,
  )
}

/** The two settings that hide a Service from the gateway, whose chains for it are then missing. @throws UserError SERVICE_HIDDEN */
function requireVisible(site: Site, service: Service, space: Namespace | undefined): void {
  const { name, namespace = '', annotations = {} } = service.metadata
  const said = annotations['networking.istio.io/exportTo']
  const places = said?.split(',').map((one) => one.trim()) ?? defaultExports(site.mesh.configuration, 'Service')
  const { namespace: place } = site.gateway
  const isShown = places.some((one) => one === '*' || one === place || (one === '.' && namespace === place))
  if (!isShown) {
    const by =
      said === undefined
        ? 'defaultServiceExportTo of the mesh configuration'
        : 'its annotation networking.istio.io/exportTo'
    throw hidden(
      `Service ${namespace}/${name} of cluster ${site.name} is not visible to its gateway in namespace ${place}: ${by} names other namespaces`,
      [
        sh`kubectl --context ${site.cluster.context} -n ${namespace} annotate --overwrite service ${name} networking.istio.io/exportTo='*'`,
      ],
    )
  }
  const selectors = discoverySelectors(site.mesh.configuration)
  const labels = { ...space?.metadata.labels, 'kubernetes.io/metadata.name': namespace }
  if (space === undefined || selectors.length === 0 || selectors.some((one) => isSelected(labels, one))) return
  throw hidden(
    `istiod of cluster ${site.name} does not see namespace ${namespace}: discoverySelectors of the mesh configuration leave it out`,
    [sh`kubectl --context ${site.cluster.context} get namespace ${namespace} --show-labels`],
  )
}

function hidden(message: string, suggestions: string[]): UserError {
  return new UserError('SERVICE_HIDDEN', message, { suggestions })
}

/** @throws UserError EXPORT_WITHOUT_PODS, NOT_IN_MESH */
function requireInMesh(
  pods: readonly Pod[],
  site: Site,
  { service: { name, namespace } }: ExportRequest,
): { inMesh: readonly Pod[]; warnings: Finding[] } {
  const what = `Service ${namespace}/${name} of cluster ${site.name}`
  const look = sh`kubectl --context ${site.cluster.context} -n ${namespace} get pods`
  if (pods.length === 0) {
    const message = `${what} has no pods, so the identities that may answer are not known`
    throw new UserError('EXPORT_WITHOUT_PODS', message, { suggestions: [look] })
  }
  const inMesh = pods.filter((pod) => proxyImage(pod) !== undefined)
  if (inMesh.length === 0) {
    const isAmbient = pods.some(({ metadata }) => metadata.annotations?.['ambient.istio.io/redirection'] === 'enabled')
    const why = isAmbient ? 'are in the ambient mesh' : 'have no sidecar'
    throw new UserError('NOT_IN_MESH', `the pods of ${what} ${why}, and a gateway passes calls on only to sidecars`, {
      suggestions: [
        sh`kubectl --context ${site.cluster.context} label namespace ${namespace} istio-injection=enabled`,
        sh`kubectl --context ${site.cluster.context} -n ${namespace} rollout restart deployment`,
      ],
    })
  }
  const others = pods.length - inMesh.length
  const message = `${others} of ${pods.length} pods of ${what} have no sidecar: a gateway passes no calls on to them`
  return { inMesh, warnings: others === 0 ? [] : [warns('EXPORT_PODS_LEFT_OUT', message, look)] }
}

/** https://istio.io/latest/docs/concepts/security/#istio-identity */
function identitiesOf(pods: readonly Pod[], { mesh }: Site): string[] {
  const accounts = pods.map(
    ({ metadata: { namespace }, spec: { serviceAccountName = 'default' } }) =>
      `spiffe://${mesh.trustDomain}/ns/${namespace}/sa/${serviceAccountName}`,
  )
  return [...new Set(accounts)].sort()
}

/** @throws UserError SUBSET_UNKNOWN */
function subsetsOf(pods: readonly Pod[], label: string, site: Site): Record<string, string> {
  const values = pods.flatMap(({ metadata }) => metadata.labels?.[label] ?? [])
  const named = [...new Set(values)].sort().map((value) => [subsetName(value), value] as const)
  const names = named.flatMap(([name]) => name ?? [])
  if (names.length > 0 && names.length === named.length && new Set(names).size === names.length)
    return Object.fromEntries(named)
  const message =
    named.length === 0
      ? `no pod in cluster ${site.name} has the label ${label}`
      : `the values of the label ${label} in cluster ${site.name} make no names of subsets: ${[...new Set(values)].join(', ')}`
  throw new UserError('SUBSET_UNKNOWN', message, {
    suggestions: ['--subsets version', sh`kubectl --context ${site.cluster.context} get pods -A -L ${label}`],
  })
}
