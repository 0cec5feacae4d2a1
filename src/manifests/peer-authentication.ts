import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { changedLabels, ownedLabels, SCRAPING } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'

export interface StrictPortRequest {
  name: string
  namespace: string
  labels: Record<string, string>
  port: number
}

/**
 * Requires mutual TLS at one port. It sets no mode for the other ports, which keep that of the namespace or the mesh.
 * https://istio.io/latest/docs/reference/config/security/peer_authentication/
 */
export function strictPort(resource: Resource, { name, namespace, labels, port }: StrictPortRequest): KubeObject {
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: ownedLabels(SCRAPING) },
    spec: { selector: { matchLabels: labels }, portLevelMtls: { [port]: { mode: 'STRICT' } } },
  }
}

/** The same as a field in the user's PeerAuthentication, for server-side apply: for one pod Istio uses only the oldest. */
export function strictPortIn(resource: Resource, { metadata }: KubeObject, port: number): KubeObject {
  const { name, namespace } = metadata
  return {
    ...typeOf(resource),
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: changedLabels(SCRAPING) },
    spec: { portLevelMtls: { [port]: { mode: 'STRICT' } } },
  }
}
