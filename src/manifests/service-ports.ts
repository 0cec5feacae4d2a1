import type { KubeObject } from '../cluster/cluster.ts'
import { SERVICES, typeOf } from '../cluster/resources.ts'

/**
 * Our ports in the user's Service, for server-side apply: it contains only our fields. Without ports it has no spec, and applying it
 * removes the ports that we had added.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/
 */
export function servicePorts(service: { name: string; namespace: string }, ports: object[]): KubeObject {
  return { ...typeOf(SERVICES), metadata: { ...service }, ...(ports.length === 0 ? {} : { spec: { ports } }) }
}
