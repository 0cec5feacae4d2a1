/** Under which address and port the outside reaches an ingress gateway: pure. */
import { isIP } from 'node:net'
import type { Node, Pod, Service } from '../cluster/objects.ts'
import { isReady } from '../cluster/objects.ts'
import type { IngressGateway } from './find.ts'

export interface IngressAddress {
  /** An IP address or a host name. */
  address: string
  kind: 'ip' | 'hostname'
  /** Where we have it from. */
  via: 'flag' | 'load-balancer' | 'external-ip' | 'node-port'
  /** Whether it is a node's own: then the Service's node ports lead to the gateway. */
  onNode: boolean
}

/** The address that the Service itself has; `undefined` when it has none (EXTERNAL-IP is pending) and nodes must be asked. */
export function serviceAddress({ service }: IngressGateway): IngressAddress | undefined {
  const ingress = service.status?.loadBalancer?.ingress?.[0]
  const given = ingress?.ip ?? ingress?.hostname
  if (given !== undefined && given !== '') return addressOf(given, 'load-balancer')
  const external = service.spec.externalIPs?.[0]
  return external === undefined ? undefined : addressOf(external, 'external-ip')
}

/** A node's address, where node ports lead to the gateway: ExternalIP before InternalIP, nodes that run the gateway before others. */
export function nodeAddress(gateway: IngressGateway, nodes: Node[]): IngressAddress | undefined {
  if (!hasNodePorts(gateway.service)) return undefined
  const hosting = new Set(gateway.pods.filter(isReady).map((pod: Pod) => pod.spec.nodeName))
  const ranked = nodes
    .filter(isReady)
    .sort((a, b) => Number(hosting.has(b.metadata.name)) - Number(hosting.has(a.metadata.name)))
  for (const type of ['ExternalIP', 'InternalIP']) {
    for (const node of ranked) {
      const found = node.status?.addresses?.find((address) => address.type === type)
      if (found) return addressOf(found.address, 'node-port', true)
    }
  }
  return undefined
}

/** An address that the user named. */
export function namedAddress(address: string, { service }: IngressGateway, nodes: Node[]): IngressAddress {
  const isNode = nodes.some((node) => node.status?.addresses?.some((known) => known.address === address))
  return addressOf(address, 'flag', isNode && hasNodePorts(service))
}

/** The port by which the outside reaches a port of the Service; `undefined` while that has no node port. */
export function outsidePort({ onNode }: IngressAddress, service: Service, number: number): number | undefined {
  return onNode ? service.spec.ports?.find(({ port }) => port === number)?.nodePort : number
}

function hasNodePorts({ spec }: Service): boolean {
  return spec.ports?.some(({ nodePort }) => nodePort !== undefined) ?? false
}

function addressOf(address: string, via: IngressAddress['via'], onNode = false): IngressAddress {
  return { address, kind: isIP(address) === 0 ? 'hostname' : 'ip', via, onNode }
}
