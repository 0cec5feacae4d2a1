/** The DestinationRule that Istio takes for an add-on's host at a gateway: it decides whether the gateway speaks TLS to it. Changes nothing. */
import type { Cluster, KubeObject } from '../../cluster/cluster.ts'
import type { ConfigMap, Pod } from '../../cluster/objects.ts'
import { findIstioVersion, readable } from '../../cluster/reading.ts'
import { destinationRules } from '../../cluster/resources.ts'
import { listOf, mapOf, textOf, textsOf } from '../../shapes.ts'
import { isReadFor } from '../../workloads/control-plane.ts'
import type { IngressGateway } from '../find.ts'
import { defaultExports, meshConfigMap, rootNamespace } from '../mesh.ts'

/** A port of an add-on's Service, and its host in the mesh. */
export interface Destination {
  service: string
  namespace: string
  port: number
  host: string
}

/** Modes in which the gateway opens TLS to servers that are not Istio's. */
export const PLAIN_TLS = ['MUTUAL', 'SIMPLE']

/** What the configuration of the mesh and its objects are read from. */
export interface Facts {
  mesh: ConfigMap | undefined
  cluster: Cluster
}

/** The rule for a destination, and its TLS mode for the port; `undefined` if it sets none. */
export interface EffectiveRule {
  rule: KubeObject
  mode: string | undefined
  /** Whether the gateway looks at the certificate of a server. */
  verifies: boolean
}

/** @returns `unread` without the permission to list them; `undefined` if no rule is for the destination */
export async function findRule(
  to: Destination,
  gateway: IngressGateway,
  { mesh, cluster }: Facts,
): Promise<EffectiveRule | 'unread' | undefined> {
  const version = await findIstioVersion(cluster)
  if (version === undefined) return undefined
  const rules = await readable(cluster.list(destinationRules(version)))
  if (rules === undefined) return 'unread'
  const root = rootNamespace(mesh, meshConfigMap(gateway).namespace)
  const exports = defaultExports(mesh, 'DestinationRule')
  const visible = rules.filter((one) => isReadFor(one, gateway.pods) && isFor(one, gateway, exports))
  const rule = ruleFor(to, gateway, visible, root)
  const tls = rule && tlsSettings(rule, to.port)
  return rule && { rule, mode: textOf(tls?.mode), verifies: tls?.insecureSkipVerify !== true }
}

/** Whether something that is exported to these namespaces is seen in one: `*` is all, `.` its own. */
export function isExported(places: readonly string[], { from, to }: { from: string; to: string }): boolean {
  return places.includes('*') || places.includes(to) || (places.includes('.') && from === to)
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
  const matching = rules.filter((rule) => covers(ruleHost(rule), host))
  const specific = (one: KubeObject) =>
    ruleHost(one).startsWith('*') ? ruleHost(one).length : Number.POSITIVE_INFINITY
  return [own, namespace, root]
    .map((place) => matching.filter(({ metadata }) => metadata.namespace === place))
    .flatMap((found) => found.toSorted((one, other) => specific(other) - specific(one)))[0]
}

/** With a short name Istio means a Service of the rule's namespace. */
export function ruleHost({ spec, metadata }: KubeObject): string {
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
  const hasLabels = (pod: Pod) => labels.every(([name, value]) => pod.metadata.labels?.[name] === value)
  return (
    (isHere || isExported(named.length === 0 ? otherwise : named, { from: namespace, to: own })) &&
    (labels.length === 0 || (isHere && pods.some(hasLabels)))
  )
}

/** Settings for a port replace those for all ports as a whole. */
function tlsSettings({ spec }: KubeObject, port: number): Record<string, unknown> {
  const policy = mapOf(mapOf(spec).trafficPolicy)
  const forPort = listOf(policy.portLevelSettings)
    .map(mapOf)
    .find((one) => mapOf(one.port).number === port)
  return mapOf((forPort ?? policy).tls)
}
