/** Which ingress gateways a cluster has: pure, over its pods and Services. Their names and namespaces are anybody's choice. */
import type { Pod, Service, ServicePort } from '../cluster/objects.ts'
import { isReady, matchesSelector } from '../cluster/objects.ts'

export interface IngressGateway {
  namespace: string
  service: Service
  /** The Service's selector: what an Istio Gateway has to name to be served by these pods. */
  selector: Record<string, string>
  /** Pods that run Envoy as a router. */
  pods: Pod[]
  readyPods: number
  serviceAccount: string
}

/** Whether a pod runs Envoy as a router (`pilot-agent proxy router`), which all of Istio's gateways do, however installed. */
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

/** Ports on which the pods may listen for a port of the Service: where it leads, and its own number, which is Istio's choice when in doubt. */
export function listenerPorts({ service, pods }: IngressGateway, number: number): number[] {
  const target = portNumbered(service, number)?.targetPort
  const named = pods
    .flatMap(({ spec }) => spec.containers)
    .flatMap(({ ports = [] }) => ports)
    .filter(({ name }) => name !== undefined && name === target)
    .map(({ containerPort }) => containerPort)
  return [...new Set([number, ...(typeof target === 'number' ? [target] : named)])]
}

/**
 * Gateways that traffic from outside can come in by: a Service with port 443 or 80 that is not just for the cluster.
 * So neither egress gateways (ClusterIP) nor east-west gateways (15443) are among them, nor those that Gateway API manages.
 */
export function findIngressGateways(services: Service[], pods: Pod[]): IngressGateway[] {
  return services
    .filter((service) => [443, 80].some((port) => portNumbered(service, port) !== undefined) && isReachable(service))
    .map((service) => gatewayOf(service, pods))
    .filter((gateway) => gateway !== undefined)
    .filter(({ pods }) => !pods.some((pod) => pod.metadata.labels?.['gateway.networking.k8s.io/gateway-name']))
}

/** The gateway behind one Service, whatever its type; `undefined` when none of its pods is a router. */
export function gatewayOf(service: Service, pods: Pod[]): IngressGateway | undefined {
  const { namespace = '' } = service.metadata
  const behind = pods.filter(
    (pod) => pod.metadata.namespace === namespace && isGatewayPod(pod) && matchesSelector(pod, service.spec.selector),
  )
  if (behind.length === 0) return undefined
  return {
    namespace,
    service,
    selector: service.spec.selector ?? {},
    pods: behind,
    readyPods: behind.filter(isReady).length,
    serviceAccount: behind[0]?.spec.serviceAccountName ?? 'default',
  }
}

/** `istio-system/istio-ingressgateway`: how people name a gateway, in flags and on pages. */
export function gatewayName({ namespace, service }: IngressGateway): string {
  return `${namespace}/${service.metadata.name}`
}

function isReachable({ spec }: Service): boolean {
  return spec.type === 'LoadBalancer' || spec.type === 'NodePort' || (spec.externalIPs ?? []).length > 0
}
