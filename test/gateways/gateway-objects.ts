/** Services, pods and nodes as clouds, charts and istioctl make them, cut to the fields that matter. */
import type { Node, Pod, Service, ServicePort } from '../../src/cluster/objects.ts'

/** Of istioctl's profile `default` and of the Helm chart `gateway`. */
export const INGRESS_PORTS: ServicePort[] = [
  { name: 'status-port', port: 15021, protocol: 'TCP', targetPort: 15021, nodePort: 30021 },
  { name: 'http2', port: 80, protocol: 'TCP', targetPort: 8080, nodePort: 30080 },
  { name: 'https', port: 443, protocol: 'TCP', targetPort: 8443, nodePort: 30443 },
]

/** Of Istio's gen-eastwest-gateway.sh. */
export const EAST_WEST_PORTS: ServicePort[] = [
  { name: 'status-port', port: 15021, protocol: 'TCP', targetPort: 15021, nodePort: 31021 },
  { name: 'tls', port: 15443, protocol: 'TCP', targetPort: 15443, nodePort: 31443 },
  { name: 'tls-istiod', port: 15012, protocol: 'TCP', targetPort: 15012, nodePort: 31012 },
  { name: 'tls-webhook', port: 15017, protocol: 'TCP', targetPort: 15017, nodePort: 31017 },
]

export interface ServiceSettings {
  namespace?: string
  name?: string
  type?: string
  selector?: Record<string, string>
  ports?: ServicePort[]
  externalIPs?: string[]
  externalTrafficPolicy?: string
  ingress?: { ip?: string; hostname?: string; ipMode?: string; ports?: object[] }[]
}

export function service(settings: ServiceSettings = {}): Service {
  const { namespace = 'istio-system', name = 'istio-ingressgateway', type = 'LoadBalancer' } = settings
  const { selector = { istio: 'ingressgateway' }, ports = INGRESS_PORTS, ingress } = settings
  const { externalIPs, externalTrafficPolicy } = settings
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name },
    spec: {
      type,
      selector,
      ports,
      ...(externalIPs === undefined ? {} : { externalIPs }),
      ...(externalTrafficPolicy === undefined ? {} : { externalTrafficPolicy }),
    },
    status: { loadBalancer: ingress === undefined ? {} : { ingress } },
  }
}

export interface PodSettings {
  namespace?: string
  name?: string
  labels?: Record<string, string>
  args?: string[]
  ready?: boolean
  nodeName?: string
  serviceAccountName?: string
}

/** What istiod injects into gateway pods. */
export const ROUTER = ['proxy', 'router', '--domain', '$(POD_NAMESPACE).svc.cluster.local', '--log_as_json']
export const SIDECAR = ['proxy', 'sidecar', '--domain', '$(POD_NAMESPACE).svc.cluster.local']

export function pod(settings: PodSettings = {}): Pod {
  const { namespace = 'istio-system', name = 'istio-ingressgateway-5d8', args = ROUTER, ready = true } = settings
  const { labels = { istio: 'ingressgateway' }, nodeName, serviceAccountName } = settings
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, labels },
    spec: {
      containers: [{ name: 'istio-proxy', image: 'auto', args }],
      ...(nodeName === undefined ? {} : { nodeName }),
      ...(serviceAccountName === undefined ? {} : { serviceAccountName }),
    },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }
}

/** @param addresses such as `{ InternalIP: '10.0.0.1' }` */
export function node(name: string, addresses: Record<string, string>, ready = 'True'): Node {
  return nodeOf(name, Object.entries({ Hostname: name, ...addresses }), ready)
}

/** @param addresses such as `['InternalIP', '10.0.0.1']`, of which a dual-stack node has two */
export function nodeOf(name: string, addresses: [string, string][], ready = 'True'): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: {
      addresses: addresses.map(([type, address]) => ({ type, address })),
      conditions: [
        { type: 'MemoryPressure', status: 'False' },
        { type: 'Ready', status: ready },
      ],
    },
  }
}
