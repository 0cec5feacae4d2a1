/** Under which address and port the outside reaches an ingress gateway: pure. */
import { isIP } from 'node:net'
import type { Node, Pod } from '../cluster/objects.ts'
import { isReady } from '../cluster/objects.ts'
import { httpsPort, type IngressGateway } from './find.ts'

export interface IngressAddress {
  /** An IP address or a host name. */
  address: string
  kind: 'ip' | 'hostname'
  port: number
  /** Where we have it from. */
  via: 'flag' | 'load-balancer' | 'external-ip' | 'node-port'
}

/** The address that the Service itself has; `undefined` when it has none (EXTERNAL-IP is pending) and nodes must be asked. */
export function serviceAddress({ service }: IngressGateway): IngressAddress | undefined {
  const port = httpsPort(service)?.port ?? 443
  const ingress = service.status?.loadBalancer?.ingress?.[0]
  const given = ingress?.ip ?? ingress?.hostname
  if (given !== undefined && given !== '') return addressOf(given, port, 'load-balancer')
  const external = service.spec.externalIPs?.[0]
  return external === undefined ? undefined : addressOf(external, port, 'external-ip')
}

/** A node's address with the Service's node port: ExternalIP before InternalIP, nodes that run the gateway before others. */
export function nodeAddress(gateway: IngressGateway, nodes: Node[]): IngressAddress | undefined {
  const port = httpsPort(gateway.service)?.nodePort
  if (port === undefined) return undefined
  const hosting = new Set(gateway.pods.filter(isReady).map((pod: Pod) => pod.spec.nodeName))
  const ranked = nodes
    .filter(isReady)
    .sort((a, b) => Number(hosting.has(b.metadata.name)) - Number(hosting.has(a.metadata.name)))
  for (const type of ['ExternalIP', 'InternalIP']) {
    for (const node of ranked) {
      const found = node.status?.addresses?.find((address) => address.type === type)
      if (found) return addressOf(found.address, port, 'node-port')
    }
  }
  return undefined
}

/** An address that the user named. At a node's own address the gateway answers on its node port, else on 443. */
export function namedAddress(address: string, gateway: IngressGateway, nodes: Node[]): IngressAddress {
  const port = httpsPort(gateway.service)
  const isNode = nodes.some((node) => node.status?.addresses?.some((known) => known.address === address))
  return addressOf(address, (isNode ? port?.nodePort : undefined) ?? port?.port ?? 443, 'flag')
}

function addressOf(address: string, port: number, via: IngressAddress['via']): IngressAddress {
  return { address, kind: isIP(address) === 0 ? 'hostname' : 'ip', port, via }
}
