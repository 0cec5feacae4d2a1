import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { changedForScraping, scrapingLabels } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'

export interface StrictPortRequest {
  name: string
  namespace: string
  labels: Record<string, string>
  port: number
}

/**
 * Mutual TLS alone at one port. Without a mode of its own, so that the other ports go on as the namespace or the mesh says.
 * https://istio.io/latest/docs/reference/config/security/peer_authentication/
 */
export function strictPort(resource: Resource, { name, namespace, labels, port }: StrictPortRequest): KubeObject {
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: scrapingLabels() },
    spec: { selector: { matchLabels: labels }, portLevelMtls: { [port]: { mode: 'STRICT' } } },
  }
}

/** The same as a field of ours in somebody else's PeerAuthentication, for server-side apply: Istio takes but one for a pod, the oldest. */
export function strictPortIn(resource: Resource, { metadata }: KubeObject, port: number): KubeObject {
  const { name, namespace } = metadata
  return {
    ...typeOf(resource),
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: changedForScraping() },
    spec: { portLevelMtls: { [port]: { mode: 'STRICT' } } },
  }
}
