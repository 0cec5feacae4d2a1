/** The ports at which Services lead to a workload's pods; Istio creates an inbound listener for each. Pure. */
import type { KubeObject } from '../../cluster/cluster.ts'
import { matchesSelector, type Pod, type Service } from '../../cluster/objects.ts'
import type { WorkloadObject } from '../../workloads/workload-object.ts'

export interface InboundPort {
  /** The port of the pod. */
  number: number
  name?: string
  /** Istio's name of the protocol; `''` lets Istio detect it. */
  protocol: string
}

/** The protocols that Istio reads from a port's name or appProtocol: pkg/config/protocol/instance.go. */
const PROTOCOLS = ['tcp', 'grpc', 'http', 'http_proxy', 'http2', 'https', 'tls', 'mongo', 'redis', 'mysql']
const APP_PROTOCOLS: Record<string, string> = {
  'kubernetes.io/h2c': 'HTTP2',
  'kubernetes.io/ws': 'HTTP',
  'kubernetes.io/wss': 'HTTPS',
}
/** Istio uses TCP for SMTP, DNS, MySQL and MongoDB, because their servers may send first: pkg/config/kube/conversion.go. */
const SERVER_FIRST = [25, 53, 3306, 27017]

interface NamedPort {
  name?: string
  port: number
  targetPort?: number | string
  protocol?: string
  appProtocol?: string
}

interface ServiceEntrySpec {
  workloadSelector?: { labels?: Record<string, string> }
  ports?: { number: number; targetPort?: number; name?: string; protocol?: string }[]
}

/**
 * The ports of the pod that Services and ServiceEntries lead to. If several lead to the same port, the oldest decides its protocol, as in
 * Istio (`SetServiceTargets`). UDP is left out: no proxy captures it.
 * @param serviceEntries of the workload's namespace; those without a workloadSelector lead elsewhere
 */
export function inboundPorts(
  workload: WorkloadObject,
  pods: Pod[],
  services: Service[],
  serviceEntries: KubeObject[],
): InboundPort[] {
  const template = workload.spec.template
  const selected = [template, ...pods]
  const selects = (labels: Record<string, string> | undefined) => selected.some((pod) => matchesSelector(pod, labels))
  const behind = services
    .filter(({ spec }) => spec.type !== 'ExternalName' && selects(spec.selector))
    .map((service) => ({ object: service, ports: (service.spec.ports ?? []) as NamedPort[] }))
  const entries = serviceEntries
    .filter(({ spec }) => selects(((spec ?? {}) as ServiceEntrySpec).workloadSelector?.labels))
    .map((object) => ({ object, ports: (((object.spec ?? {}) as ServiceEntrySpec).ports ?? []).map(portOfEntry) }))
  const ports = [...behind, ...entries]
    .sort((a, b) => order(a.object, b.object))
    .flatMap(({ ports }) => ports)
    .filter(({ protocol = 'TCP' }) => protocol === 'TCP')
    .flatMap((port) => inboundPort(port, selected))
  return ports
    .filter((port, index) => ports.findIndex(({ number }) => number === port.number) === index)
    .sort((a, b) => a.number - b.number)
}

function portOfEntry({
  number,
  targetPort,
  name,
  protocol = '',
}: NonNullable<ServiceEntrySpec['ports']>[0]): NamedPort {
  const transport = protocol.toUpperCase() === 'UDP' ? 'UDP' : 'TCP'
  return {
    port: number,
    targetPort: targetPort ?? number,
    protocol: transport,
    appProtocol: protocol,
    ...(name === undefined ? {} : { name }),
  }
}

function inboundPort(port: NamedPort, pods: Pick<Pod, 'spec'>[]): InboundPort[] {
  const number = targetNumber(port, pods)
  if (number === undefined) return []
  const named = port.name === undefined || port.name === '' ? {} : { name: port.name }
  return [{ number, ...named, protocol: protocolOf(port) }]
}

/** Finds a named port in the containers, as the endpoints controller does. If no container has it, nothing listens. */
function targetNumber({ port, targetPort = port }: NamedPort, pods: Pick<Pod, 'spec'>[]): number | undefined {
  if (typeof targetPort === 'number') return targetPort
  return pods
    .flatMap(({ spec }) => [...spec.containers, ...(spec.initContainers ?? [])])
    .flatMap(({ ports = [] }) => ports)
    .find(({ name }) => name === targetPort)?.containerPort
}

/** https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/ */
function protocolOf({ port, name = '', appProtocol }: NamedPort): string {
  const said = appProtocol ?? name
  const known = APP_PROTOCOLS[said]
  if (known !== undefined && appProtocol !== undefined) return known
  if (/^grpc-web/i.test(said)) return 'GRPC-Web'
  const [prefix = ''] = said.split('-')
  if (PROTOCOLS.includes(prefix.toLowerCase())) return prefix.toUpperCase()
  return SERVER_FIRST.includes(port) ? 'TCP' : ''
}

/** The oldest first, then by `NAME.NAMESPACE.svc`, which is the name within one namespace. */
function order(a: KubeObject, b: KubeObject): number {
  return created(a).localeCompare(created(b)) || (`${a.metadata.name}.` < `${b.metadata.name}.` ? -1 : 1)
}

/** RFC 3339 in UTC, which sorts as text. */
export function created({ metadata }: KubeObject): string {
  return String(metadata.creationTimestamp ?? '')
}
