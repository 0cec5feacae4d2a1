/** Pure: finds the external address and port of an ingress gateway. */
import { isIP } from 'node:net'
import type { Node, Pod, Service } from '../cluster/objects.ts'
import { isReady } from '../cluster/objects.ts'
import { canonicalAddress } from './address-domain.ts'
import { type IngressGateway, portNumbered, targetsNumbered } from './find.ts'
import { isClassicPort } from './layout.ts'
import { addressAndPort } from './names.ts'

export interface IngressAddress {
  /** An IP address or a host name. */
  address: string
  kind: 'ip' | 'hostname'
  /** Source of the address. */
  via: 'flag' | 'load-balancer' | 'external-ip' | 'node-port' | 'host-network'
  /** Whether it is the address of a node: then the Service's node ports lead to the gateway. */
  onNode: boolean
  /** By port of the Service: the port of the node, where the pods use its network or its ports (a DaemonSet, mostly). */
  hostPorts?: HostPorts
  /** The port outside, where the user named one: it leads to the port of all hosts. */
  port?: number
  /** More IP addresses of the gateway: of the other family or of other nodes. */
  others: string[]
}

export type HostPorts = Readonly<Record<number, number>>

/** The address of the Service itself; `undefined` if it has none (EXTERNAL-IP is pending), and a node's address is needed. */
export function serviceAddress({ service }: IngressGateway): IngressAddress | undefined {
  return (
    addressOf(balancedAddresses(service), 'load-balancer') ?? addressOf(service.spec.externalIPs ?? [], 'external-ip')
  )
}

/** An entry may have an IP address and a name. `ipMode` only concerns kube-proxy inside of the cluster. */
function balancedAddresses({ status }: Service): string[] {
  const ingress = status?.loadBalancer?.ingress ?? []
  return ingress.map(({ ip, hostname }) => ip || hostname || '').filter(Boolean)
}

/** All addresses of a Service outside of the cluster. */
export function addressesOf(service: Service): string[] {
  return [...balancedAddresses(service), ...(service.spec.externalIPs ?? [])]
}

/** The address of a node, for node ports: ExternalIP before InternalIP, nodes with a gateway pod before others. */
export function nodeAddress(gateway: IngressGateway, nodes: Node[]): IngressAddress | undefined {
  const hostPorts = hostPortsOf(gateway)
  if (!hasNodePorts(gateway.service) && hostPorts === undefined) return undefined
  const ranked = hostPorts === undefined ? rankedNodes(gateway, nodes) : hostingNodes(gateway, nodes)
  const typed = (type: string) =>
    ranked.map(({ status }) =>
      (status?.addresses ?? []).filter((known) => known.type === type).map((known) => known.address),
    )
  const all = [...typed('ExternalIP'), ...typed('InternalIP')].filter((addresses) => addresses.length > 0)
  const [chosen = []] = all
  const via = hostPorts === undefined ? 'node-port' : 'host-network'
  return addressOf(chosen, via, { onNode: true, hostPorts, more: all.flat() })
}

/** Ports of a node that lead to the pods on it; `undefined` where the Service has node ports, or the pods only their own network. */
function hostPortsOf({ service, pods }: IngressGateway): HostPorts | undefined {
  if (hasNodePorts(service)) return undefined
  const onHost = pods.length > 0 && pods.every(({ spec }) => spec.hostNetwork === true)
  const ports = pods.flatMap(({ spec }) => spec.containers).flatMap((container) => container.ports ?? [])
  const hostPort = (target: number | undefined) =>
    onHost ? target : ports.find(({ containerPort }) => containerPort === target)?.hostPort
  const found = (service.spec.ports ?? []).flatMap(({ port }) => {
    const outside = hostPort(targetsNumbered(service, pods, port)[0])
    return outside === undefined ? [] : [[port, outside] as const]
  })
  return found.length === 0 ? undefined : Object.fromEntries(found)
}

/** Ready nodes with a ready gateway pod. */
function hostingNodes({ pods }: IngressGateway, nodes: Node[]): Node[] {
  const names = new Set(pods.filter(isReady).map((pod: Pod) => pod.spec.nodeName))
  return nodes.filter((node) => isReady(node) && names.has(node.metadata.name))
}

/** Ready nodes, first those with a gateway pod. With externalTrafficPolicy Local only those. */
function rankedNodes(gateway: IngressGateway, nodes: Node[]): Node[] {
  const { service } = gateway
  const ready = nodes.filter(isReady)
  const hosting = hostingNodes(gateway, nodes)
  if (service.spec.externalTrafficPolicy === 'Local' && hosting.length > 0) return hosting
  return [...hosting, ...ready.filter((node) => !hosting.includes(node))]
}

/** An address that the user named. */
export function namedAddress(named: string, gateway: IngressGateway, nodes: Node[]): IngressAddress {
  const { service } = gateway
  const { address, port } = addressAndPort(named)
  const isNode = nodes.some((node) => node.status?.addresses?.some((known) => known.address === address))
  const own = addressesOf(service)
  const more = own.map(canonicalAddress).includes(canonicalAddress(address)) ? own : []
  const hostPorts = isNode && port === undefined ? hostPortsOf(gateway) : undefined
  const onNode = isNode && port === undefined && (hasNodePorts(service) || hostPorts !== undefined)
  return addressNamed(address, 'flag', { onNode, hostPorts, port, more })
}

/**
 * The IP address of a gateway whose only address is a host name.
 * @param resolved addresses of that host name
 */
export function resolvedAddress({ via, ...found }: IngressAddress, resolved: string[]): IngressAddress | undefined {
  return addressOf(resolved, via, { ...found, more: resolved })
}

/** Prefers an address that is already in the names of exposed hosts, if the gateway has it. */
export function addressInUse(gateway: IngressAddress, inUse: string[]): IngressAddress {
  const all = ipAddresses(gateway)
  const still = all.filter((address) => inUse.includes(address))
  return addressOf(still, gateway.via, { ...gateway, more: all }) ?? gateway
}

/** All IP addresses of the gateway in canonical spelling. */
export function ipAddresses({ address, others }: IngressAddress): string[] {
  return [address, ...others].filter((one) => isIP(one) !== 0).map(canonicalAddress)
}

/** The external port for a port of the Service; `undefined` while that has no node port. */
export function outsidePort(
  { onNode, hostPorts, port }: IngressAddress,
  service: Service,
  number: number,
): number | undefined {
  if (hostPorts !== undefined) return hostPorts[number] ?? number
  if (port !== undefined && !isClassicPort(number)) return port
  return onNode ? portNumbered(service, number)?.nodePort : number
}

function hasNodePorts({ spec }: Service): boolean {
  return spec.ports?.some(({ nodePort }) => nodePort !== undefined) ?? false
}

/** Prefers the first IPv4 address, which every client can reach, then the first IPv6 address, then the first host name. */
function addressOf(candidates: string[], via: IngressAddress['via'], more?: Found): IngressAddress | undefined {
  const best = [4, 6, 0].flatMap((version) => candidates.filter((one) => isIP(one) === version))[0]
  return best === undefined ? undefined : addressNamed(best, via, more ?? { onNode: false, more: candidates })
}

interface Found {
  onNode: boolean
  hostPorts?: HostPorts | undefined
  port?: number | undefined
  more: string[]
}

function addressNamed(
  address: string,
  via: IngressAddress['via'],
  { onNode, hostPorts, port, more }: Found,
): IngressAddress {
  const kind = isIP(address) === 0 ? 'hostname' : 'ip'
  const differs = (one: string) => isIP(one) !== 0 && canonicalAddress(one) !== canonicalAddress(address)
  const others = [...new Set(more)].filter(differs)
  const outside = { ...(hostPorts === undefined ? {} : { hostPorts }), ...(port === undefined ? {} : { port }) }
  return { address, kind, via, onNode, ...outside, others }
}
