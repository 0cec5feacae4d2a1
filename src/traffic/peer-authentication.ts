/** Whether pods accept plaintext: PeerAuthentications as istiod applies them. Pure. */
import type { KubeObject } from '../cluster/cluster.ts'
import { isStaying, type Pod } from '../cluster/objects.ts'
import { mapOf, textOf } from '../shapes.ts'

/** Where the mode of a port comes from. */
export interface MutualTls {
  mode: string
  /** `NAMESPACE/NAME`; left out for Istio's default. */
  from?: string
}

/**
 * The oldest object of the narrowest scope that says anything wins: the pod's port, the pod, its namespace, the mesh (`UNSET` says nothing;
 * `ComposePeerAuthentication` in pilot/pkg/security/authn).
 * @param objects all PeerAuthentications that istiod reads @param root the root namespace
 */
export function mutualTlsOf(pod: Pod, port: number, objects: readonly KubeObject[], root: string): MutualTls {
  const { namespace = '' } = pod.metadata
  const sorted = objects.filter(isStaying).toSorted((one, other) => createdAt(one).localeCompare(createdAt(other)))
  const inNamespace = (place: string) => sorted.filter(({ metadata }) => metadata.namespace === place)
  const own = inNamespace(namespace).filter((one) => selects(one, pod))
  const wide = [...inNamespace(namespace), ...inNamespace(root)].filter((one) => labelsOf(one) === undefined)
  const ofPort = own.map((one) => said(one, mapOf(mapOf(mapOf(one.spec).portLevelMtls)[String(port)]).mode))
  const others = [...own, ...wide].map((one) => said(one, mapOf(mapOf(one.spec).mtls).mode))
  return [...ofPort, ...others].find((one) => one !== undefined) ?? { mode: 'PERMISSIVE' }
}

function said({ metadata: { namespace, name } }: KubeObject, mode: unknown): MutualTls | undefined {
  const text = textOf(mode)
  return text === undefined || text === 'UNSET' ? undefined : { mode: text, from: `${namespace}/${name}` }
}

/** Without labels it is for the whole namespace. */
function labelsOf({ spec }: KubeObject): [string, unknown][] | undefined {
  const labels = Object.entries(mapOf(mapOf(mapOf(spec).selector).matchLabels))
  return labels.length === 0 ? undefined : labels
}

function selects(object: KubeObject, { metadata: { labels = {} } }: Pod): boolean {
  return labelsOf(object)?.every(([name, value]) => labels[name] === value) ?? false
}

/** RFC 3339 in UTC: it sorts as a text. */
function createdAt({ metadata }: KubeObject): string {
  return textOf(metadata.creationTimestamp) ?? ''
}
