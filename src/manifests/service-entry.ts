import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { scrapingLabels } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'

/**
 * By what routes name the agent. 80, because sidecars in the namespace listen for it in any case: a port of its own would make them
 * listen at one more.
 */
export const ROUTED_PORT = 80

/** Nobody's name in DNS, and not below `local`, for which DestinationRules of the whole mesh are made. */
export function adminHost({ name, namespace }: { name: string; namespace: string }): string {
  return `${name}.${namespace}.kubectl-telemetry.internal`
}

/** The agent beside the proxy itself, at 127.0.0.1: for proxies of this namespace alone, and without mutual TLS, which it does not speak. */
export function agentEntry(
  resource: Resource,
  { name, namespace, port }: { name: string; namespace: string; port: number },
): KubeObject {
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: scrapingLabels() },
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
