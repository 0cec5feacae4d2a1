/** Under which address and port the outside reaches an ingress gateway: pure. */
import { isIP } from 'node:net'
import type { Node, Pod, Service } from '../cluster/objects.ts'
import { isReady } from '../cluster/objects.ts'
import { canonicalAddress } from './address-domain.ts'
import { type IngressGateway, portNumbered } from './find.ts'

export interface IngressAddress {
  /** An IP address or a host name. */
  address: string
  kind: 'ip' | 'hostname'
  /** Where we have it from. */
  via: 'flag' | 'load-balancer' | 'external-ip' | 'node-port'
  /** Whether it is a node's own: then the Service's node ports lead to the gateway. */
  onNode: boolean
  /** More IP addresses that lead to the gateway: of the other family, of other nodes. */
  others: string[]
}

/** The address that the Service itself has; `undefined` when it has none (EXTERNAL-IP is pending) and nodes must be asked. */
export function serviceAddress({ service }: IngressGateway): IngressAddress | undefined {
  return (
    addressOf(balancedAddresses(service), 'load-balancer') ?? addressOf(service.spec.externalIPs ?? [], 'external-ip')
  )
}

/** An entry may have both an IP address and a name for it. `ipMode` is kube-proxy's concern, inside the cluster. */
function balancedAddresses({ status }: Service): string[] {
  const ingress = status?.loadBalancer?.ingress ?? []
  return ingress.map(({ ip, hostname }) => ip || hostname || '').filter(Boolean)
}

/** A node's address, where node ports lead to the gateway: ExternalIP before InternalIP, nodes that run the gateway before others. */
export function nodeAddress(gateway: IngressGateway, nodes: Node[]): IngressAddress | undefined {
  if (!hasNodePorts(gateway.service)) return undefined
  const ranked = rankedNodes(gateway, nodes)
  const typed = (type: string) =>
    ranked.map(({ status }) =>
      (status?.addresses ?? []).filter((known) => known.type === type).map((known) => known.address),
    )
  const all = [...typed('ExternalIP'), ...typed('InternalIP')].filter((addresses) => addresses.length > 0)
  const [chosen = []] = all
  return addressOf(chosen, 'node-port', { onNode: true, more: all.flat() })
}

/** Ready nodes, those that run the gateway first; alone, when the Service's traffic stays on the node that it came to. */
function rankedNodes({ pods, service }: IngressGateway, nodes: Node[]): Node[] {
  const names = new Set(pods.filter(isReady).map((pod: Pod) => pod.spec.nodeName))
  const ready = nodes.filter(isReady)
  const hosting = ready.filter(({ metadata }) => names.has(metadata.name))
  if (service.spec.externalTrafficPolicy === 'Local' && hosting.length > 0) return hosting
  return [...hosting, ...ready.filter((node) => !hosting.includes(node))]
}

/** An address that the user named. */
export function namedAddress(address: string, { service }: IngressGateway, nodes: Node[]): IngressAddress {
  const isNode = nodes.some((node) => node.status?.addresses?.some((known) => known.address === address))
  const own = [...balancedAddresses(service), ...(service.spec.externalIPs ?? [])]
  const more = own.map(canonicalAddress).includes(canonicalAddress(address)) ? own : []
  return addressNamed(address, 'flag', { onNode: isNode && hasNodePorts(service), more })
}

/**
 * The address of a gateway that has a host name alone.
 * @param resolved what that name resolves to
 */
export function resolvedAddress({ via, onNode }: IngressAddress, resolved: string[]): IngressAddress | undefined {
  return addressOf(resolved, via, { onNode, more: resolved })
}

/** The same gateway by one of these addresses, of which names are in use, if it has one of them. */
export function addressInUse(gateway: IngressAddress, inUse: string[]): IngressAddress {
  const all = ipAddresses(gateway)
  const still = all.filter((address) => inUse.includes(address))
  return addressOf(still, gateway.via, { onNode: gateway.onNode, more: all }) ?? gateway
}

/** Every IP address that leads to the gateway, each in one spelling. */
export function ipAddresses({ address, others }: IngressAddress): string[] {
  return [address, ...others].filter((one) => isIP(one) !== 0).map(canonicalAddress)
}

/** The port by which the outside reaches a port of the Service; `undefined` while that has no node port. */
export function outsidePort({ onNode }: IngressAddress, service: Service, number: number): number | undefined {
  return onNode ? portNumbered(service, number)?.nodePort : number
}

function hasNodePorts({ spec }: Service): boolean {
  return spec.ports?.some(({ nodePort }) => nodePort !== undefined) ?? false
}

/** Of several, the first IPv4 address, which every client can reach; else the first IPv6 address; else the first host name. */
function addressOf(
  candidates: string[],
  via: IngressAddress['via'],
  more?: { onNode: boolean; more: string[] },
): IngressAddress | undefined {
  const best = [4, 6, 0].flatMap((version) => candidates.filter((one) => isIP(one) === version))[0]
  return best === undefined ? undefined : addressNamed(best, via, more ?? { onNode: false, more: candidates })
}

function addressNamed(
  address: string,
  via: IngressAddress['via'],
  { onNode, more }: { onNode: boolean; more: string[] },
): IngressAddress {
  const kind = isIP(address) === 0 ? 'hostname' : 'ip'
  const differs = (one: string) => isIP(one) !== 0 && canonicalAddress(one) !== canonicalAddress(address)
  return { address, kind, via, onNode, others: [...new Set(more)].filter(differs) }
}
