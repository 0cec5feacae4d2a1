/** Pure: finds the user's Gateways that claim one of our hosts on the same pods and port. */
import type { KubeObject } from '../cluster/cluster.ts'
import { isStaying, type Pod } from '../cluster/objects.ts'
import { textOf } from '../shapes.ts'
import { controlPlaneOf, isRead } from '../workloads/control-plane.ts'
import { boundPorts, type IngressGateway, listenerPorts } from './find.ts'
import { type Entry, type ServerSpec, serversIn } from './layout.ts'
import { isOwnGateway, ownGateway } from './made-by-exposing.ts'

export interface HostConflict {
  /** Our host, and the port of the gateway's Service. */
  host: string
  port: number
  /** `namespace/name` of the other Gateway. */
  gateway: string
  /** The host in the other Gateway: the same, or a wildcard that matches it. */
  claim: string
}

interface Spec {
  selector?: Record<string, string>
}

/**
 * Istio serves a host on a port from only one Gateway, and silently drops it from others (IST0145). An exact host wins over a wildcard:
 * then we serve the host that the wildcard has served until now.
 * https://istio.io/latest/docs/reference/config/analysis/ist0145/
 */
export function hostConflicts(
  entries: readonly HostPort[],
  { pods, namespace }: IngressGateway,
  gateways: KubeObject[],
): HostConflict[] {
  return othersFor({ pods, namespace }, gateways).flatMap((gateway) => {
    const name = nameOf(gateway)
    return entries.flatMap(({ host, port }) => {
      const claims = serversIn(gateway)
        .filter((server) => server.port.number === port)
        .flatMap(({ hosts }) => hosts)
      const claim = claims.find((one) => one === host) ?? claims.find((one) => covers(one, host))
      return claim === undefined ? [] : [{ host, port, gateway: name, claim }]
    })
  })
}

/** A server of another Gateway that keeps a port of the pods from ours: Envoy serves one protocol on a port. */
export interface ProtocolConflict {
  /** Of the gateway's Service, for our server. */
  port: number
  /** `namespace/name` of the other Gateway, the number of its port, and its protocol. */
  gateway: string
  number: number
  protocol: string
  /** The port of the pods. */
  target: number
}

/**
 * Istio merges servers on one port of the pods only if all of them speak TLS, which the server name tells apart, or all of them plain HTTP; of
 * others it silently ignores those of the younger Gateways (`mergeGateways` in pilot/pkg/model/gateway.go).
 * @param number port of our server, which speaks TLS if `secure`
 */
export function protocolConflict(
  { number, secure }: { number: number; secure: boolean },
  gateway: IngressGateway,
  gateways: KubeObject[],
): ProtocolConflict | undefined {
  const targets = boundPorts(gateway, number)
  const ours = ownGateway(gateways, gateway.namespace)
  const isOlder = serversIn(ours).some(({ port }) => port.number === number) ? createdAt(ours) : undefined
  return othersFor(gateway, gateways)
    .filter((other) => isStaying(other) && (isOlder === undefined || createdAt(other) < isOlder))
    .flatMap((other) =>
      serversIn(other)
        .filter((server) => kindOf(server) !== (secure ? 'tls' : 'http'))
        .flatMap(({ port }) => {
          const target = boundPorts(gateway, port.number).find((one) => targets.includes(one))
          const { number: theirs, protocol } = port
          return target === undefined
            ? []
            : [{ port: number, gateway: nameOf(other), number: theirs, protocol, target }]
        }),
    )[0]
}

/** A server of another Gateway at a port of the gateway. */
export interface PortConflict {
  /** `namespace/name`, and the number of its port. */
  gateway: string
  number: number
  protocol: string
  hosts: string[]
}

/** @param targets ports of the pods. @returns the first server of another Gateway that has one of them */
export function portConflict(
  targets: readonly number[],
  gateway: IngressGateway,
  gateways: KubeObject[],
): PortConflict | undefined {
  return othersFor(gateway, gateways)
    .filter(isStaying)
    .flatMap((other) => serversIn(other).map((server) => ({ ...server, gateway: nameOf(other) })))
    .filter(({ port }) => boundPorts(gateway, port.number).some((one) => targets.includes(one)))
    .map(({ port, hosts, gateway: name }) => ({
      gateway: name,
      number: port.number,
      protocol: textOf(port.protocol) ?? '',
      hosts: hosts.filter((one) => textOf(one) !== undefined),
    }))[0]
}

/** RFC 3339 in UTC without fractions: it sorts as a text. */
function createdAt(object: KubeObject | undefined): string {
  return textOf(object?.metadata.creationTimestamp) ?? ''
}

const PLAIN_HTTP = ['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB']

/** As Istio reads a protocol: in upper and lower case, and TCP with TLS settings is TLS. */
export function kindOf({ port, tls }: ServerSpec): 'tls' | 'http' | 'tcp' {
  const protocol = (textOf(port.protocol) ?? '').toUpperCase()
  if (PLAIN_HTTP.includes(protocol)) return 'http'
  return protocol === 'HTTPS' || protocol === 'TLS' || tls !== undefined ? 'tls' : 'tcp'
}

/** The Gateways of others that Istio applies to pods of the gateway. */
function othersFor(
  { pods, namespace }: Pick<IngressGateway, 'pods' | 'namespace'>,
  gateways: KubeObject[],
): KubeObject[] {
  return gateways.filter(
    (gateway) =>
      gateway.kind === 'Gateway' && !isOwnGateway(gateway, namespace) && pods.some((pod) => applies(gateway, pod)),
  )
}

function nameOf({ metadata: { namespace, name } }: KubeObject): string {
  return `${namespace}/${name}`
}

/** The entries at whose port the gateway listens, for whatever Gateway. */
export function busyEntries(gateway: IngressGateway, entries: readonly Entry[], gateways: KubeObject[]): string[] {
  const own = gateways.filter((one) => one.kind === 'Gateway' && gateway.pods.some((pod) => applies(one, pod)))
  const taken = own.flatMap(serversIn).flatMap(({ port }) => listenerPorts(gateway, port.number))
  return entries
    .filter(({ port }) => listenerPorts(gateway, port).some((one) => taken.includes(one)))
    .map(({ name }) => name)
}

type HostPort = Pick<Entry, 'host' | 'port'>

/** A Gateway without a selector applies to every gateway pod whose istiod reads it. */
export function applies(gateway: KubeObject, pod: Pod): boolean {
  const { selector = {} } = (gateway.spec ?? {}) as Spec
  const isSelected = Object.entries(selector).every(([name, value]) => pod.metadata.labels?.[name] === value)
  return isSelected && isRead(gateway, controlPlaneOf([pod]))
}

/** Whether a host of a Gateway is this one, or a wildcard for it. */
export function covers(claim: string, host: string): boolean {
  return claim === host || claim === '*' || (claim.startsWith('*.') && host.endsWith(claim.slice(1)))
}
