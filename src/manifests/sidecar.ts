import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { scrapingLabels } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'

export interface IngressListener {
  port: { number: number; protocol: string; name?: string }
  /** Left out: to where the connection was going, as without a Sidecar. */
  defaultEndpoint?: string
  bind?: string
  [field: string]: unknown
}

export interface SidecarRequest {
  name: string
  namespace: string
  /** Of the pods that it is for. Never empty: that would be every pod of the namespace. */
  labels: Record<string, string>
  ingress: IngressListener[]
  /** What a Sidecar without a selector says of these pods: egress, outboundTrafficPolicy, … Ours takes its place. */
  inherited?: Record<string, unknown>
}

/** https://istio.io/latest/docs/reference/config/networking/sidecar/ */
export function sidecar(resource: Resource, request: SidecarRequest): KubeObject {
  const { name, namespace, labels, ingress, inherited = {} } = request
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: scrapingLabels() },
    spec: { ...inherited, workloadSelector: { labels }, ingress },
  }
}

/** The listeners of a Sidecar of somebody else's that has none, for server-side apply: it names nothing but what is ours. */
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
