/** Pure: finds ingress gateways among pods and Services. Their names and namespaces may be anything. */
import type { Pod, Service, ServicePort } from '../cluster/objects.ts'
import { isReady, isStaying, matchesSelector } from '../cluster/objects.ts'

export interface IngressGateway {
  namespace: string
  service: Service
  /** All Services of the namespace that lead to any of the pods. */
  services: Service[]
  /** Labels with which an Istio Gateway selects these pods: those of the Service, or more (own-pods.ts). */
  selector: Record<string, string>
  /** Pods that run Envoy as a router; those that are being deleted only where there are no others. */
  pods: Pod[]
  readyPods: number
  serviceAccount: string
}

/** Whether a pod runs Envoy as a router (`pilot-agent proxy router`), like all gateways of Istio, however they were installed. */
export function isGatewayPod(pod: Pod): boolean {
  return [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].some(({ args = [] }) => {
    const proxy = args.indexOf('proxy')
    return proxy >= 0 && args[proxy + 1] === 'router'
  })
}

/** A TCP port of a Service, by its number. */
export function portNumbered(service: Service, number: number): ServicePort | undefined {
  return service.spec.ports?.find(({ port, protocol = 'TCP' }) => port === number && protocol === 'TCP')
}

/**
 * Ports on which the pods may listen for a port of a Gateway: its number, and the target of each Service that has it. Istio takes the
 * oldest of the Services (`resolvePorts` in pilot/pkg/model/gateway.go), and which one that is may change.
 */
export function listenerPorts({ services, pods }: IngressGateway, number: number): number[] {
  const ports = services.flatMap(({ spec }) => spec.ports ?? []).filter(({ port }) => port === number)
  return sorted([number, ...ports.flatMap((port) => targetsOf(port, pods))])
}

/**
 * The same without what no Service leads to: the number itself only where a Service has it as its target, or no Service has the port. A Service
 * with Knative's label has no part in it (`DisableGatewayPortTranslationLabel` in pilot/pkg/model/gateway.go).
 */
export function boundPorts({ services, pods }: IngressGateway, number: number): number[] {
  const translating = services.filter(({ metadata }) => !Object.hasOwn(metadata.labels ?? {}, UNTRANSLATED))
  const targets = translating.flatMap((service) => targetsNumbered(service, pods, number))
  return sorted(targets.length === 0 ? [number] : targets)
}

const UNTRANSLATED = 'experimental.istio.io/disable-gateway-port-translation'

/** Ports of the pods to which a port of a Service leads: several where pods give its name to different ports. */
export function targetsNumbered(service: Service, pods: readonly Pod[], number: number): number[] {
  const port = portNumbered(service, number)
  return port === undefined ? [] : targetsOf(port, pods)
}

function targetsOf({ port, targetPort = port }: ServicePort, pods: readonly Pod[]): number[] {
  if (typeof targetPort === 'number') return [targetPort]
  return pods
    .flatMap(({ spec }) => [...spec.containers, ...(spec.initContainers ?? [])])
    .flatMap(({ ports = [] }) => ports)
    .filter(({ name }) => name === targetPort)
    .map(({ containerPort }) => containerPort)
}

function sorted(numbers: number[]): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b)
}

/**
 * Finds gateways for external traffic: their Service has port 443 or 80 and is reachable from outside. Egress gateways (ClusterIP),
 * east-west gateways (15443) and gateways that Gateway API manages are left out.
 */
export function findIngressGateways(services: Service[], pods: Pod[], leads = leadsFromOutside): IngressGateway[] {
  return services
    .filter((service) => isStaying(service) && leads(service))
    .map((service) => gatewayOf(service, pods, services))
    .filter((gateway) => gateway !== undefined)
    .filter((gateway) => apiGatewayOf(gateway) === undefined)
}

/** Labels of pods that istiod runs for a Gateway of Gateway API; before Istio 1.19 the second. */
const API_GATEWAY = ['gateway.networking.k8s.io/gateway-name', 'istio.io/gateway-name']

/** `NAMESPACE/NAME` of the Gateway of Gateway API that manages the pods, if one does. */
export function apiGatewayOf({ pods, namespace }: Pick<IngressGateway, 'pods' | 'namespace'>): string | undefined {
  const labels = pods.flatMap(({ metadata }) => API_GATEWAY.map((label) => metadata.labels?.[label]))
  const name = labels.find((one) => one !== undefined)
  return name === undefined ? undefined : `${namespace}/${name}`
}

/** Ports of the pods at which Istio's installers serve HTTPS, or HTTP. */
export function usualTargets(secure: boolean): number[] {
  return secure ? [443, 8443] : [80, 8080]
}

/**
 * The port of a Service without 443 (or 80) that leads where Istio serves HTTPS (or HTTP). Where something else has 443 on each node, as
 * Traefik in k3s, a Service has 8443 in its place.
 */
export function portFor(
  { service, pods }: Pick<IngressGateway, 'service' | 'pods'>,
  secure: boolean,
): number | undefined {
  const leads = ({ port }: ServicePort) =>
    targetsNumbered(service, pods, port).some((target) => usualTargets(secure).includes(target))
  return service.spec.ports?.find(leads)?.port
}

/** Whether external traffic can reach a Service at other ports than 443 and 80. */
export function leadsFromElsewhere(service: Service): boolean {
  return isReachable(service) && [true, false].some((secure) => portFor({ service, pods: [] }, secure) !== undefined)
}

/** Whether external traffic can reach port 443 or 80 of a Service. */
export function leadsFromOutside(service: Service): boolean {
  return [443, 80].some((port) => portNumbered(service, port) !== undefined) && isReachable(service)
}

/** The gateway behind a Service of any type; `undefined` if none of its pods is a router. */
export function gatewayOf(service: Service, pods: Pod[], services = [service]): IngressGateway | undefined {
  const { namespace = '' } = service.metadata
  const behind = pods.filter(
    (pod) => pod.metadata.namespace === namespace && isGatewayPod(pod) && matchesSelector(pod, service.spec.selector),
  )
  if (behind.length === 0) return undefined
  const staying = behind.filter(isStaying)
  return {
    namespace,
    service,
    services: services.filter(
      ({ metadata, spec }) =>
        metadata.namespace === namespace && behind.some((pod) => matchesSelector(pod, spec.selector)),
    ),
    selector: service.spec.selector ?? {},
    pods: staying.length > 0 ? staying : behind,
    readyPods: staying.filter(isReady).length,
    serviceAccount: behind[0]?.spec.serviceAccountName ?? 'default',
  }
}

/** `istio-system/istio-ingressgateway`: the name of a gateway in flags and on pages. */
export function gatewayName({ namespace, service }: IngressGateway): string {
  return `${namespace}/${service.metadata.name}`
}

/** Whether a Service is reachable from outside of the cluster. */
export function isReachable({ spec }: Service): boolean {
  return spec.type === 'LoadBalancer' || spec.type === 'NodePort' || (spec.externalIPs ?? []).length > 0
}
