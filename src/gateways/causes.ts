/**
 * What in the mesh keeps a gateway from an add-on's Service although its pods may be Ready: looked for when the page does not answer, since
 * the gateway's answer (503) is the same for all of it. Changes nothing.
 */
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import { isSelected, type LabelSelector } from '../cluster/label-selector.ts'
import { type ConfigMap, isReady, matchesSelector, type Pod, type Service } from '../cluster/objects.ts'
import { findIstioVersion, readable } from '../cluster/reading.ts'
import { destinationRules, NAMESPACES, PODS, SERVICES } from '../cluster/resources.ts'
import { listOf, mapOf, textOf, textsOf } from '../shapes.ts'
import { sh } from '../shell.ts'
import type { IngressGateway } from './find.ts'
import { defaultExports, discoverySelectors, hasAutoMtls, meshConfigMap, rootNamespace } from './mesh.ts'
import { readMeshConfig } from './mesh-config.ts'

export interface Cause {
  /** Words that follow the failure of a page. */
  message: string
  /** The most likely first. */
  remedies: string[]
}

/** A port of an add-on's Service, and its host in the mesh. */
export interface Destination {
  service: string
  namespace: string
  port: number
  host: string
}

/**
 * @param to left out: what keeps the gateway from its own configuration
 * @returns the cause that the configuration of the mesh gives; `undefined` if it gives none, or may not be read
 */
export async function findCause(
  to: Destination | undefined,
  gateway: IngressGateway,
  cluster: Cluster,
): Promise<Cause | undefined> {
  const mesh = await readMeshConfig(gateway, cluster)
  const names = [gateway.namespace, ...(to === undefined ? [] : [to.namespace])]
  const unseen = await unseenNamespace(names, gateway, { mesh, cluster })
  if (unseen !== undefined || to === undefined) return unseen
  const service = await readable(cluster.get<Service>(SERVICES, { name: to.service, namespace: to.namespace }))
  return (
    (service && notExported(service, gateway, mesh)) ??
    (await findRule(to, gateway, { mesh, cluster })) ??
    (await withoutMtls(to, { mesh, cluster }))
  )
}

/** What to look at where the configuration of the mesh gives no cause. @returns `undefined` where no pod is Ready */
export async function unknownCause(
  to: Destination | undefined,
  { namespace: place, pods: [pod] }: IngressGateway,
  cluster: Cluster,
): Promise<Cause | undefined> {
  const pods = to === undefined ? [] : await podsBehind(to, cluster)
  if (to === undefined || !pods.some(isReady)) return undefined
  const { service: name, namespace } = to
  return {
    message: `pods of Service ${namespace}/${name} are Ready`,
    remedies: [
      ...(pod === undefined
        ? []
        : [sh`kubectl -n ${place} logs ${pod.metadata.name} --tail=20   # the gateway's access log has the reason`]),
      sh`kubectl -n ${namespace} get networkpolicies   # does one of them keep the gateway out?`,
    ],
  }
}

interface Facts {
  mesh: ConfigMap | undefined
  cluster: Cluster
}

/** istiod knows nothing of namespaces that its discoverySelectors leave out: no Service of an add-on, no Gateway of ours. */
async function unseenNamespace(
  names: string[],
  gateway: IngressGateway,
  { mesh, cluster }: Facts,
): Promise<Cause | undefined> {
  const selectors = discoverySelectors(mesh)
  if (selectors.length === 0) return undefined
  const found = await Promise.all([...new Set(names)].map((name) => readable(cluster.get(NAMESPACES, { name }))))
  const unseen = found.find((one) => one !== undefined && !selectors.some((each) => isSelected(labelsOf(one), each)))
  if (unseen === undefined) return undefined
  const { name, namespace } = meshConfigMap(gateway)
  return {
    message: `istiod does not see namespace ${unseen.metadata.name}: the discoverySelectors of the mesh configuration do not match its labels`,
    remedies: [
      ...labelling(unseen, selectors),
      sh`kubectl -n ${namespace} edit configmap ${name}   # discoverySelectors`,
    ],
  }
}

function labelsOf({ metadata }: KubeObject): Record<string, string> {
  return metadata.labels ?? {}
}

/** The command that gives a namespace the labels of the first selector that labels can fulfil. */
function labelling(namespace: KubeObject, selectors: readonly LabelSelector[]): string[] {
  const { name } = namespace.metadata
  return selectors.slice(0, 1).map((selector) => {
    const words = wordsFor(labelsOf(namespace), selector)
    return sh`kubectl label namespace ${name} ${words} --overwrite   # istiod sees it then`
  })
}

/** `team=mesh` for a label to set, `team-` for one to remove. */
function wordsFor(
  labels: Record<string, string>,
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
): string[] {
  const equal = Object.entries(matchLabels).filter(([name, value]) => labels[name] !== value)
  return [
    ...equal.map(([name, value]) => `${name}=${value}`),
    ...matchExpressions
      .filter((expression) => !isSelected(labels, { matchExpressions: [expression] }))
      .map(({ key, operator, values: [value = 'true'] = [] }) =>
        operator === 'In' || operator === 'Exists' ? `${key}=${value}` : `${key}-`,
      ),
  ]
}

/** Istio's annotation of a Service: the namespaces that see it. */
const EXPORT_TO = 'networking.istio.io/exportTo'

function notExported(
  { metadata: { name, namespace = '', annotations } }: Service,
  { namespace: own }: IngressGateway,
  mesh: ConfigMap | undefined,
): Cause | undefined {
  const named = annotations?.[EXPORT_TO]
  const places = named?.split(',').map((one) => one.trim()) ?? defaultExports(mesh, 'Service')
  if (isExported(places, { from: namespace, to: own })) return undefined
  const why = named === undefined ? 'defaultServiceExportTo of the mesh configuration' : `its annotation ${EXPORT_TO}`
  return {
    message: `Service ${namespace}/${name} is only exported to ${places.join(', ')} (${why}), so the gateway in namespace ${own} does not see it`,
    remedies: [
      sh`kubectl -n ${namespace} annotate service ${name} ${`${EXPORT_TO}=.,${own}`} --overwrite   # the gateway sees it then`,
    ],
  }
}

function isExported(places: readonly string[], { from, to }: { from: string; to: string }): boolean {
  return places.includes('*') || places.includes(to) || (places.includes('.') && from === to)
}

/** Without a DestinationRule that says it, the gateway then sends plaintext to a sidecar. */
async function withoutMtls(to: Destination, { mesh, cluster }: Facts): Promise<Cause | undefined> {
  if (hasAutoMtls(mesh)) return undefined
  const pods = await podsBehind(to, cluster)
  if (pods.length === 0 || !pods.every(hasSidecar)) return undefined
  return {
    message:
      'the mesh configuration has enableAutoMtls: false, so the gateway sends plaintext to the sidecar of its pods, which may accept only mutual TLS',
    remedies: [
      `a DestinationRule for host ${to.host} in namespace ${to.namespace} with trafficPolicy.tls.mode ISTIO_MUTUAL`,
    ],
  }
}

/** With these modes the gateway opens TLS, and the pods get it. */
const TLS_MODES = ['ISTIO_MUTUAL', 'MUTUAL', 'SIMPLE']

/** A DestinationRule whose TLS settings do not fit the pods. */
async function findRule(to: Destination, gateway: IngressGateway, facts: Facts): Promise<Cause | undefined> {
  const { mesh, cluster } = facts
  const version = await findIstioVersion(cluster)
  if (version === undefined) return undefined
  const rules = (await readable(cluster.list(destinationRules(version)))) ?? []
  const root = rootNamespace(mesh, meshConfigMap(gateway).namespace)
  const exports = defaultExports(mesh, 'DestinationRule')
  const visible = rules.filter((one) => isFor(one, gateway, exports))
  const rule = ruleFor(to, gateway, visible, root)
  const mode = rule && tlsMode(rule, to.port)
  if (rule === undefined || mode === undefined) return undefined
  const why = misfit(mode, await podsBehind(to, cluster))
  if (why === undefined) return undefined
  const { name, namespace } = rule.metadata
  const where = sh`kubectl -n ${namespace} get destinationrules.networking.istio.io ${name} -o yaml`
  return {
    message: `DestinationRule ${namespace}/${name} (host ${hostOf(rule)}) has tls mode ${mode} for it, ${why}`,
    remedies: [
      `a DestinationRule for host ${to.host} in namespace ${gateway.namespace} with trafficPolicy.tls.mode ${mode === 'DISABLE' ? 'ISTIO_MUTUAL' : 'DISABLE'}   # it comes before that one`,
      where,
    ],
  }
}

/** @returns `undefined` where the mode may fit, or no pod is known */
function misfit(mode: string, pods: readonly Pod[]): string | undefined {
  if (pods.length === 0) return undefined
  const injected = pods.every(hasSidecar)
  if (mode === 'DISABLE') return injected ? 'but its pods have a sidecar, which may accept only mutual TLS' : undefined
  if (!TLS_MODES.includes(mode)) return undefined
  if (!injected) return 'but its pods have no sidecar that could answer TLS'
  return mode === 'ISTIO_MUTUAL' ? undefined : 'but the sidecar of its pods passes that on to a server without TLS'
}

function hasSidecar({ spec, metadata }: Pod): boolean {
  const isAmbient = metadata.annotations?.['ambient.istio.io/redirection'] === 'enabled'
  return isAmbient || [...spec.containers, ...(spec.initContainers ?? [])].some(({ name }) => name === 'istio-proxy')
}

async function podsBehind({ service: name, namespace }: Pick<Destination, 'service' | 'namespace'>, cluster: Cluster) {
  const service = await readable(cluster.get<Service>(SERVICES, { name, namespace }))
  const pods = (await readable(cluster.list<Pod>(PODS, { namespace }))) ?? []
  return pods.filter((pod) => matchesSelector(pod, service?.spec.selector))
}

/**
 * The rule that Istio takes for a host: of the gateway's namespace, then of the Service's, then of the root namespace; within one the most
 * specific host (`destinationRule` in pilot/pkg/model/push_context.go).
 */
function ruleFor(
  { host, namespace }: Destination,
  { namespace: own }: IngressGateway,
  rules: readonly KubeObject[],
  root: string,
): KubeObject | undefined {
  const matching = rules.filter((rule) => covers(hostOf(rule), host))
  const specific = (one: KubeObject) => (hostOf(one).startsWith('*') ? hostOf(one).length : Number.POSITIVE_INFINITY)
  return [own, namespace, root]
    .map((place) => matching.filter(({ metadata }) => metadata.namespace === place))
    .flatMap((found) => found.toSorted((one, other) => specific(other) - specific(one)))[0]
}

/** With a short name Istio means a Service of the rule's namespace. */
function hostOf({ spec, metadata }: KubeObject): string {
  const host = textOf(mapOf(spec).host) ?? ''
  return host.includes('.') || host.includes('*') ? host : `${host}.${metadata.namespace}.svc`
}

function covers(pattern: string, host: string): boolean {
  if (pattern.startsWith('*')) return host.endsWith(pattern.slice(1))
  return pattern === host || (pattern.endsWith('.svc') && host.startsWith(`${pattern}.`))
}

/** Whether a rule is for the pods of the gateway, as its `exportTo` and `workloadSelector` say. @param otherwise where it names no namespaces */
function isFor(
  { spec, metadata: { namespace = '' } }: KubeObject,
  { namespace: own, pods }: IngressGateway,
  otherwise: string[],
): boolean {
  const { exportTo, workloadSelector } = mapOf(spec)
  const named = textsOf(exportTo)
  const labels = Object.entries(mapOf(mapOf(workloadSelector).matchLabels))
  const isHere = namespace === own
  const hasLabels = (pod: Pod) => labels.every(([name, value]) => labelsOf(pod)[name] === value)
  return (
    (isHere || isExported(named.length === 0 ? otherwise : named, { from: namespace, to: own })) &&
    (labels.length === 0 || (isHere && pods.some(hasLabels)))
  )
}

/** Settings for a port replace those for all ports as a whole. */
function tlsMode({ spec }: KubeObject, port: number): string | undefined {
  const policy = mapOf(mapOf(spec).trafficPolicy)
  const forPort = listOf(policy.portLevelSettings)
    .map(mapOf)
    .find((one) => mapOf(one.port).number === port)
  return textOf(mapOf((forPort ?? policy).tls).mode)
}
