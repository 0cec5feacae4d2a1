import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { ownedLabels, SCRAPING } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'

/**
 * The port by which routes name the agent. 80, because sidecars listen for it anyway: any other port would add a listener to them.
 */
export const ROUTED_PORT = 80

/** A host that does not exist in DNS, and is not below `local`, to which mesh-wide DestinationRules often apply. */
export function adminHost({ name, namespace }: { name: string; namespace: string }): string {
  return `${name}.${namespace}.kubectl-telemetry.internal`
}

/** The agent next to the proxy, at 127.0.0.1: only for proxies of this namespace, and without mutual TLS, which it does not support. */
export function agentEntry(
  resource: Resource,
  { name, namespace, port }: { name: string; namespace: string; port: number },
): KubeObject {
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: ownedLabels(SCRAPING) },
    spec: {
      exportTo: ['.'],
      hosts: [adminHost({ name, namespace })],
      location: 'MESH_EXTERNAL',
      resolution: 'STATIC',
      ports: [{ name: 'http-telemetry-metrics', number: ROUTED_PORT, targetPort: port, protocol: 'HTTP' }],
      endpoints: [{ address: '127.0.0.1' }],
    },
  }
}
