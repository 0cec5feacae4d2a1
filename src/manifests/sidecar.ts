import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { ownedLabels, SCRAPING } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'

export interface IngressListener {
  port: { number: number; protocol: string; name?: string }
  /** The destination; if left out, the original one, as without a Sidecar. */
  defaultEndpoint?: string
  bind?: string
  [field: string]: unknown
}

export interface SidecarRequest {
  name: string
  namespace: string
  /** Labels of the pods. Never empty: that would select every pod of the namespace. */
  labels: Record<string, string>
  ingress: IngressListener[]
  /** Settings of the namespace's Sidecar (egress, outboundTrafficPolicy, …), which ours replaces for these pods. */
  inherited?: Record<string, unknown>
}

/** https://istio.io/latest/docs/reference/config/networking/sidecar/ */
export function sidecar(resource: Resource, request: SidecarRequest): KubeObject {
  const { name, namespace, labels, ingress, inherited = {} } = request
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: ownedLabels(SCRAPING) },
    spec: { ...inherited, workloadSelector: { labels }, ingress },
  }
}

/** Adds listeners to the user's Sidecar that has none, for server-side apply: it contains only our fields. */
export function ingressOf(
  resource: Resource,
  { metadata }: KubeObject,
  ingress: IngressListener[],
  labels: object,
): KubeObject {
  const { name, namespace } = metadata
  return {
    ...typeOf(resource),
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: { ...labels } },
    spec: { ingress },
  }
}
