import type { KubeObject } from '../cluster/cluster.ts'
import { ownedLabels, SCRAPING } from '../cluster/ownership.ts'
import { NETWORK_POLICIES, typeOf } from '../cluster/resources.ts'

type Labels = Record<string, string>

export interface SecurePorts {
  name: string
  namespace: string
  /** Labels of the pods. */
  labels: Labels
  ports: number[]
  /** The pods that may connect. */
  from: { namespace: string; labels: Labels }
  /** Whether other policies already restrict the other ports. If not, this policy leaves them open for all clients. */
  hasOtherPolicies: boolean
}

const LAST_PORT = 65_535

/**
 * Allows only one workload's pods to connect to the ports. A policy closes all ports that it does not name, so if it is the only one it
 * names every other port of each protocol. https://kubernetes.io/docs/concepts/services-networking/network-policies/
 */
export function securePorts({ name, namespace, labels, ports, from, hasOtherPolicies }: SecurePorts): KubeObject {
  const scraper = {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': from.namespace } },
    podSelector: { matchLabels: from.labels },
  }
  const ours = { from: [scraper], ports: ports.map((port) => ({ protocol: 'TCP', port })) }
  const everything = ['UDP', 'SCTP'].map((protocol) => ({ protocol, port: 1, endPort: LAST_PORT }))
  const rest = { ports: [...others(ports).map((range) => ({ protocol: 'TCP', ...range })), ...everything] }
  return {
    ...typeOf(NETWORK_POLICIES),
    metadata: { name, namespace, labels: ownedLabels(SCRAPING) },
    spec: {
      podSelector: { matchLabels: labels },
      policyTypes: ['Ingress'],
      ingress: hasOtherPolicies ? [ours] : [ours, rest],
    },
  }
}

/** All other ports, as ranges. */
function others(ports: number[]): { port: number; endPort: number }[] {
  const bounds = [0, ...[...ports].sort((a, b) => a - b), LAST_PORT + 1]
  return bounds
    .slice(1)
    .map((next, index) => ({ port: (bounds[index] ?? 0) + 1, endPort: next - 1 }))
    .filter(({ port, endPort }) => port <= endPort)
}
