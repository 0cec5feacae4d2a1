/** Pure: reads the settings of the mesh configuration that concern gateways. */
import type { ObjectName } from '../cluster/cluster.ts'
import type { LabelSelector } from '../cluster/label-selector.ts'
import type { ConfigMap, Pod } from '../cluster/objects.ts'
import { isMap, listOf, mapOf, numberOf, textOf, textsOf } from '../shapes.ts'
import { type ControlPlane, controlPlaneOf } from '../workloads/control-plane.ts'
import { valuesInYaml } from '../yaml-reading.ts'
import type { IngressGateway } from './find.ts'
import { isDomain } from './names.ts'

/** An external authorizer of the mesh configuration. */
export interface Authorizer {
  name: string
  /** Whether requests are let in while it does not answer. */
  failOpen: boolean
  /** Request headers that it may set for the add-on: names in any case, or the begin or the end of one with `*`. */
  sends: string[]
}

/** The ConfigMap of a gateway's control plane. */
export function meshConfigMap({ pods }: Pick<IngressGateway, 'pods'>): Required<ObjectName> {
  return configMapOf(controlPlaneOf(pods))
}

/** `istio`, or `istio-REVISION` (`getMeshConfigMapName` in pilot/pkg/bootstrap/mesh.go). */
export function configMapOf({ revision, namespace }: ControlPlane): Required<ObjectName> {
  return { name: revision === 'default' ? 'istio' : `istio-${revision}`, namespace }
}

/** Istio's default, which almost every cluster has. */
const CLUSTER_DOMAIN = 'cluster.local'

/** The domain of Services. Each proxy is started with it: `--domain NAMESPACE.svc.DOMAIN`. */
export function clusterDomain({ pods }: Pick<IngressGateway, 'pods'>): string {
  const args = pods.flatMap(({ spec }) => spec.containers).flatMap((container) => container.args ?? [])
  const own = args[args.indexOf('--domain') + 1] ?? ''
  const [, domain = ''] = /^[^.]+\.svc\.(.+)$/.exec(own) ?? []
  return isDomain(domain) ? domain : CLUSTER_DOMAIN
}

/** How many proxies in front of the gateway are trusted to report the client's address. The pods' annotation overrides the mesh. */
export function trustedProxies({ pods }: IngressGateway, configMap: ConfigMap | undefined): number {
  return proxiesIn(proxyConfigOf(pods[0])) ?? proxiesIn(mapOf(meshOf(configMap).defaultConfig)) ?? 0
}

/** What a pod sets differently from the mesh. */
function proxyConfigOf(pod: Pod | undefined): Record<string, unknown> {
  return mapOf(namedAsInJson(valuesInYaml(pod?.metadata.annotations?.['proxy.istio.io/config'])))
}

function proxiesIn({ gatewayTopology }: Record<string, unknown>): number | undefined {
  // A number in quotes is a number for Istio, too.
  const count = numberOf(mapOf(gatewayTopology).numTrustedProxies)
  return Number.isNaN(count) ? undefined : count
}

/** Istio's default, in milliseconds. */
const DRAIN_TIME = 45_000
const UNITS: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }

/**
 * Milliseconds for which the gateway keeps connections that were opened before its filters changed. A pod reads the mesh configuration
 * when it starts: of one that was changed since, at least the default is assumed.
 */
export function drainTime({ pods }: Pick<IngressGateway, 'pods'>, configMap: ConfigMap | undefined): number {
  const mesh = durationOf(mapOf(meshOf(configMap).defaultConfig).drainDuration) ?? DRAIN_TIME
  const changed = lastChange(configMap)
  const times = pods.map(
    (pod) =>
      durationOf(proxyConfigOf(pod).drainDuration) ?? (startOf(pod) > changed ? mesh : Math.max(mesh, DRAIN_TIME)),
  )
  return times.length === 0 ? DRAIN_TIME : Math.max(...times)
}

/** Milliseconds since 1970; the end of time where it is not known. */
function lastChange(configMap: ConfigMap | undefined): number {
  const times = listOf(configMap?.metadata.managedFields).map((entry) => Date.parse(textOf(mapOf(entry).time) ?? ''))
  return times.length === 0 || times.some(Number.isNaN) ? Number.POSITIVE_INFINITY : Math.max(...times)
}

function startOf({ metadata: { creationTimestamp } }: Pod): number {
  return Date.parse(textOf(creationTimestamp) ?? '')
}

/** @returns `undefined` for what is no duration of Go, such as `1m30s` */
function durationOf(text: unknown): number | undefined {
  if (typeof text !== 'string' || !/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(text)) return undefined
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)
  return [...parts].reduce((sum, [, number, unit]) => sum + Number(number) * (UNITS[unit ?? ''] ?? 0), 0)
}

/** The external authorizers in the mesh configuration. */
export function authorizers(configMap: ConfigMap | undefined): Authorizer[] {
  return listOf(meshOf(configMap).extensionProviders).flatMap((provider) => {
    const { name, envoyExtAuthzHttp, envoyExtAuthzGrpc } = mapOf(provider)
    const config = envoyExtAuthzHttp ?? envoyExtAuthzGrpc
    const text = textOf(name)
    if (!isMap(config) || text === undefined) return []
    const failOpen = String(config.failOpen) === 'true'
    // By gRPC its answer names them.
    return [
      {
        name: text,
        failOpen,
        sends: envoyExtAuthzHttp === undefined ? ['*'] : textsOf(config.headersToUpstreamOnAllow),
      },
    ]
  })
}

/** Whether an authorizer may set a request header. Envoy then replaces what the client sent. @param header in lower case */
export function isSent(header: string, { sends }: Authorizer): boolean {
  return sends.some((one) => {
    const name = one.toLowerCase()
    if (name.startsWith('*')) return header.endsWith(name.slice(1))
    return name.endsWith('*') ? header.startsWith(name.slice(0, -1)) : header === name
  })
}

/** Selectors of the namespaces that istiod sees; without one it sees all. */
export function discoverySelectors(configMap: ConfigMap | undefined): LabelSelector[] {
  return listOf(meshOf(configMap).discoverySelectors).map((one) => {
    const { matchLabels, matchExpressions } = mapOf(one)
    const expressions = listOf(matchExpressions).map((expression) => {
      const { key, operator, values } = mapOf(expression)
      return { key: textOf(key) ?? '', operator: textOf(operator) ?? '', values: textsOf(values) }
    })
    const labels = Object.entries(mapOf(matchLabels)).map(([name, value]) => [name, String(value)])
    return { matchLabels: Object.fromEntries(labels), matchExpressions: expressions }
  })
}

/** Namespaces to which objects are exported that name none: `*` is all, `.` their own. Istio's default is all. */
export function defaultExports(configMap: ConfigMap | undefined, of: 'Service' | 'DestinationRule'): string[] {
  const places = textsOf(meshOf(configMap)[`default${of}ExportTo`])
  return places.length === 0 ? ['*'] : places
}

/** Whether proxies use mutual TLS by themselves where the other side has a sidecar. */
export function hasAutoMtls(configMap: ConfigMap | undefined): boolean {
  return meshOf(configMap).enableAutoMtls !== false
}

/** The namespace whose objects apply to all namespaces. @param own the ConfigMap's namespace, Istio's default */
export function rootNamespace(configMap: ConfigMap | undefined, own: string): string {
  return textOf(meshOf(configMap).rootNamespace) ?? own
}

/**
 * The mesh configuration of two ConfigMaps, as Istio merges them: fields of the second one win, those of `defaultConfig` one by one, and of
 * `extensionProviders` those with the same name (`ApplyMeshConfig` in pkg/config/mesh/mesh.go).
 * @param shared the ConfigMap that `SHARED_MESH_CONFIG` of istiod names @param own that of istiod itself
 */
export function mergedMesh(shared: ConfigMap | undefined, own: ConfigMap | undefined): ConfigMap | undefined {
  if (shared === undefined || own === undefined) return own ?? shared
  const [under, over] = [meshOf(shared), meshOf(own)]
  const named = listOf(over.extensionProviders).map((one) => mapOf(one).name)
  const others = listOf(under.extensionProviders).filter((one) => !named.includes(mapOf(one).name))
  const mesh = {
    ...under,
    ...over,
    defaultConfig: { ...mapOf(under.defaultConfig), ...mapOf(over.defaultConfig) },
    extensionProviders: [...others, ...listOf(over.extensionProviders)],
  }
  const managedFields = [shared, own].flatMap(({ metadata }) => listOf(metadata.managedFields))
  return { ...own, metadata: { ...own.metadata, managedFields }, data: { mesh: JSON.stringify(mesh) } }
}

/** https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/; empty for invalid YAML, which istiod ignores too. */
export function meshOf(configMap: ConfigMap | undefined): Record<string, unknown> {
  return mapOf(namedAsInJson(valuesInYaml(configMap?.data?.mesh)))
}

/** Fields that we read and that have two words: Istio's YAML also has them as in its protobuf files, `extension_providers`. */
const FIELDS = new Map(
  [
    'extensionProviders',
    'envoyExtAuthzHttp',
    'envoyExtAuthzGrpc',
    'failOpen',
    'headersToUpstreamOnAllow',
    'defaultConfig',
    'gatewayTopology',
    'numTrustedProxies',
    'drainDuration',
    'discoverySelectors',
    'rootNamespace',
    'defaultServiceExportTo',
    'defaultDestinationRuleExportTo',
    'enableAutoMtls',
    'defaultProviders',
  ].map((name) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), name]),
)

function namedAsInJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(namedAsInJson)
  if (!isMap(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [FIELDS.get(name) ?? name, namedAsInJson(field)]),
  )
}
