/** Pure: what a Service and its annotations tell about the load balancer in front. Each cloud has its own annotations; they are only read. */
import { BlockList, isIP } from 'node:net'
import { isStaying, type Service } from '../cluster/objects.ts'
import { addressesOf } from './address.ts'
import { boundPorts, gatewayName, type IngressGateway, isReachable, portNumbered, targetsNumbered } from './find.ts'

/** Whether an annotation asks the load balancer to end TLS at a port and to send plaintext on. */
type EndsTls = (annotation: (name: string) => string, port: { number: number; name: string }) => boolean

const K8S = 'service.beta.kubernetes.io'

const CLOUDS: EndsTls[] = [
  // https://kubernetes.io/docs/concepts/services-networking/service/#ssl-support-on-aws
  (annotation, port) =>
    annotation(`${K8S}/aws-load-balancer-ssl-cert`) !== '' &&
    !['ssl', 'https', 'tls'].includes(annotation(`${K8S}/aws-load-balancer-backend-protocol`).toLowerCase()) &&
    isListed(annotation(`${K8S}/aws-load-balancer-ssl-ports`) || '*', port),
  // https://docs.digitalocean.com/products/kubernetes/reference/service-annotations/
  (annotation, port) =>
    annotation(`${K8S}/do-loadbalancer-certificate-id`) !== '' &&
    annotation(`${K8S}/do-loadbalancer-tls-passthrough`) !== 'true' &&
    isListed(annotation(`${K8S}/do-loadbalancer-tls-ports`) || '443', port),
  // https://docs.oracle.com/en-us/iaas/Content/ContEng/Tasks/contengcreatingloadbalancer_topic-SSL-termination.htm
  (annotation, port) =>
    annotation(`${K8S}/oci-load-balancer-tls-backendset-secret`) === '' &&
    isListed(annotation(`${K8S}/oci-load-balancer-ssl-ports`), port),
  // https://help.aliyun.com/document_detail/86531.html: `https:443,http:80`
  (annotation, { number }) =>
    annotation(`${K8S}/alibaba-cloud-loadbalancer-protocol-port`).split(',').includes(`https:${number}`),
  // https://github.com/hetznercloud/hcloud-cloud-controller-manager: for all ports
  (annotation, { number }) => annotation('load-balancer.hetzner.cloud/protocol') === 'https' && number === 443,
]

/** Whether the load balancer ends TLS at this port, as far as its Service tells. */
export function endsTls(service: Service, number: number): boolean {
  const { name = '' } = portNumbered(service, number) ?? {}
  const annotation = (key: string) => service.metadata.annotations?.[key] ?? ''
  return CLOUDS.some((endsIn) => endsIn(annotation, { number, name }))
}

/** @param list numbers or names of ports, or `*` */
function isListed(list: string, { number, name }: { number: number; name: string }): boolean {
  const ports = list.split(',').map((one) => one.trim())
  return ports.includes('*') || ports.includes(String(number)) || (name !== '' && ports.includes(name))
}

/** Who reaches a Service: everybody, a private network, or whoever reaches a node. */
type Reach = 'public' | 'internal' | 'node ports'

const PRIVATE = new BlockList()
for (const [network, prefix] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
  ['127.0.0.0', 8],
] as const)
  PRIVATE.addSubnet(network, prefix)
PRIVATE.addSubnet('fc00::', 7, 'ipv6')
PRIVATE.addSubnet('fe80::', 10, 'ipv6')

function isPrivate(address: string): boolean {
  const version = isIP(address)
  return version !== 0 && PRIVATE.check(address, version === 6 ? 'ipv6' : 'ipv4')
}

/**
 * Clouds write it in two ways: a name with `internal` that is not false (AWS, Azure, Oracle, OpenStack), or such a value of a name that is
 * about a load balancer (AWS, Google, Alibaba, IBM, Yandex).
 */
function isMarkedInternal([name, value]: [string, string]): boolean {
  const isAbout = /load-?balancer|\/lb-/i.test(name)
  return (
    isAbout && (/internal/i.test(name) ? !/^(false|0|)$/i.test(value) : /^(internal|intranet|private)$/i.test(value))
  )
}

function reachOf(service: Service): Reach {
  const addresses = addressesOf(service)
  if (addresses.length === 0 && service.spec.type === 'NodePort') return 'node ports'
  if (Object.entries(service.metadata.annotations ?? {}).some(isMarkedInternal)) return 'internal'
  return addresses.length > 0 && addresses.every(isPrivate) ? 'internal' : 'public'
}

/** `public, 203.0.113.1`: how a Service is reached, for people. */
export function reachWords(service: Service): string {
  return [reachOf(service), ...addressesOf(service)].join(', ')
}

/** Other Services that lead from outside to the port of the same pods: one gateway with several addresses. */
export function otherWays(gateway: IngressGateway, number: number): Service[] {
  const targets = boundPorts(gateway, number)
  return gateway.services.filter(
    (service) =>
      service.metadata.name !== gateway.service.metadata.name &&
      isStaying(service) &&
      isReachable(service) &&
      (service.spec.ports ?? []).some(({ port }) =>
        targetsNumbered(service, gateway.pods, port).some((target) => targets.includes(target)),
      ),
  )
}

/** Whether two Services lead to the same pods. */
export function isSameGateway(one: IngressGateway, other: IngressGateway): boolean {
  return (
    one.namespace === other.namespace &&
    one.pods.length === other.pods.length &&
    one.pods.every(({ metadata: { name } }) => other.pods.some(({ metadata }) => metadata.name === name))
  )
}

/** What a user has to know who exposes at one of several addresses of a gateway. */
export function alsoAt(gateway: IngressGateway, number: number): { isMoreOpen: boolean; message: string } | undefined {
  const others = otherWays(gateway, number)
  if (others.length === 0) return undefined
  const own = reachOf(gateway.service)
  const isMoreOpen = own !== 'public' && others.some((service) => reachOf(service) === 'public')
  const names = others.map(
    (service) => `Service ${gateway.namespace}/${service.metadata.name} (${reachWords(service)})`,
  )
  const verb = others.length === 1 ? 'leads' : 'lead'
  const message = `${names.join(', ')} ${verb} to the same gateway pods as Service ${gatewayName(gateway)} (${reachWords(gateway.service)}), so pages answer at that address, too, for requests with their host name`
  return { isMoreOpen, message }
}
