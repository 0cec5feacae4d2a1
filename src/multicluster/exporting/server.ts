/** The server of a gateway that passes mutual TLS on to exported services: which hosts ours has, and which others cover. Pure. */
import type { KubeObject } from '../../cluster/cluster.ts'
import { isStaying, matchesSelector } from '../../cluster/objects.ts'
import { isOwnedBy, MULTICLUSTER } from '../../cluster/ownership.ts'
import { boundPorts, type IngressGateway } from '../../gateways/find.ts'
import { listOf, mapOf, numberOf, textOf, textsOf } from '../../shapes.ts'
import { isReadFor } from '../../workloads/control-plane.ts'
import { MULTICLUSTER_NAME } from '../names.ts'
import { serviceOf } from './names.ts'

export interface Listening {
  readonly gateway: IngressGateway
  /** Of its Service. */
  readonly port: number
}

/** Whether an object is our Gateway, by its name. */
export function isOurs({ metadata }: KubeObject): boolean {
  return metadata.name === MULTICLUSTER_NAME
}

/** The exported hosts of our Gateway. Others are left out: we export no wildcard. */
export function hostsIn(gateway: KubeObject | undefined): string[] {
  return listOf(mapOf(gateway?.spec).servers)
    .flatMap((server) => textsOf(mapOf(server).hosts))
    .filter((host) => serviceOf(host) !== undefined)
}

/**
 * The Gateway of others whose server at the same port passes a host on already. A second filter chain for one server name makes Envoy refuse
 * the whole listener (tried), so it is used, and none is made. @param scoped whether a Gateway only applies to pods of its namespace
 */
export function coveredBy(
  host: string,
  gateways: readonly KubeObject[],
  listening: Listening,
  scoped: boolean,
): KubeObject | undefined {
  const { gateway, port } = listening
  const ports = boundPorts(gateway, port)
  const applies = ({ metadata, spec }: KubeObject) =>
    (!scoped || metadata.namespace === gateway.namespace) && gateway.pods.some((pod) => isFor(pod, mapOf(spec)))
  return gateways
    .filter((one) => isStaying(one) && !(isOurs(one) && isOwnedBy(one, MULTICLUSTER)))
    .filter((one) => isReadFor(one, gateway.pods) && applies(one))
    .find((one) =>
      listOf(mapOf(one.spec).servers)
        .map(mapOf)
        .filter((server) => textOf(mapOf(server.tls).mode) === 'AUTO_PASSTHROUGH')
        .filter((server) => boundPorts(gateway, numberOf(mapOf(server.port).number)).some((one) => ports.includes(one)))
        .some((server) => textsOf(server.hosts).some((pattern) => covers(pattern, host))),
    )
}

/** A Gateway without a selector applies to all gateways. */
function isFor(pod: KubeObject, { selector }: Record<string, unknown>): boolean {
  const labels = Object.entries(mapOf(selector)).map(([name, value]) => [name, String(value)])
  return labels.length === 0 || matchesSelector(pod, Object.fromEntries(labels))
}

/** Istio ignores the namespace before a host of such a server (`GetSNIHostsForServer` in pilot/pkg/model/gateway.go). */
function covers(pattern: string, host: string): boolean {
  const name = pattern.split('/').at(-1) ?? ''
  if (name === '*' || name === host) return true
  return name.startsWith('*') && host.endsWith(name.slice(1))
}
