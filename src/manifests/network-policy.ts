import type { KubeObject } from '../cluster/cluster.ts'
import { scrapingLabels } from '../cluster/ownership.ts'
import { NETWORK_POLICIES, typeOf } from '../cluster/resources.ts'

type Labels = Record<string, string>

export interface SecurePorts {
  name: string
  namespace: string
  /** Of the pods that it is for. */
  labels: Labels
  ports: number[]
  /** Whose pods may reach the ports. */
  from: { namespace: string; labels: Labels }
  /** Whether other policies say already who may reach the other ports. Where none does, this one leaves them open to everybody. */
  isolated: boolean
}

const LAST_PORT = 65_535

/**
 * Lets one workload's pods alone reach the ports. A policy for a pod closes whatever it does not name, so where it is the only one it names
 * every other port, of each protocol there is. https://kubernetes.io/docs/concepts/services-networking/network-policies/
 */
export function securePorts({ name, namespace, labels, ports, from, isolated }: SecurePorts): KubeObject {
  const scraper = {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': from.namespace } },
    podSelector: { matchLabels: from.labels },
  }
  const ours = { from: [scraper], ports: ports.map((port) => ({ protocol: 'TCP', port })) }
  const everything = ['UDP', 'SCTP'].map((protocol) => ({ protocol, port: 1, endPort: LAST_PORT }))
  const rest = { ports: [...others(ports).map((range) => ({ protocol: 'TCP', ...range })), ...everything] }
  return {
    ...typeOf(NETWORK_POLICIES),
    metadata: { name, namespace, labels: scrapingLabels() },
    spec: { podSelector: { matchLabels: labels }, policyTypes: ['Ingress'], ingress: isolated ? [ours] : [ours, rest] },
  }
}

/** All ports but these, as ranges. */
function others(ports: number[]): { port: number; endPort: number }[] {
  const bounds = [0, ...[...ports].sort((a, b) => a - b), LAST_PORT + 1]
  return bounds
    .slice(1)
    .map((next, index) => ({ port: (bounds[index] ?? 0) + 1, endPort: next - 1 }))
    .filter(({ port, endPort }) => port <= endPort)
}
