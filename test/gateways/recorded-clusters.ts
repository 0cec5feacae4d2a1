/**
 * Ingress gateways and nodes of different clusters, with all their real fields. Names and addresses are reserved for documentation.
 */
import type { Node, Service, ServicePort } from '../../src/cluster/objects.ts'
import { INGRESS_PORTS } from './gateway-objects.ts'

interface Spec {
  [more: string]: unknown
  type?: string
  ports?: ServicePort[]
}

/** @param ingress from the Service's status; undefined while it is pending */
function gatewayService(spec: Spec, ingress?: object[], annotations: Record<string, string> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'istio-ingressgateway',
      namespace: 'istio-system',
      labels: { app: 'istio-ingressgateway', istio: 'ingressgateway' },
      annotations,
    },
    spec: {
      type: 'LoadBalancer',
      allocateLoadBalancerNodePorts: true,
      externalTrafficPolicy: 'Cluster',
      internalTrafficPolicy: 'Cluster',
      sessionAffinity: 'None',
      clusterIP: '10.96.12.7',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      selector: { app: 'istio-ingressgateway', istio: 'ingressgateway' },
      ports: INGRESS_PORTS,
      ...spec,
    } as Service['spec'],
    status: { loadBalancer: ingress === undefined ? {} : { ingress } },
  }
}

/** @param addresses pairs of type and address, in the order in which the cluster lists them */
function readyNode(name: string, ...addresses: [type: string, address: string][]): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' } },
    spec: {},
    status: {
      addresses: addresses.map(([type, address]) => ({ type, address })),
      conditions: ['MemoryPressure', 'DiskPressure', 'PIDPressure']
        .map((type) => ({ type, status: 'False' }))
        .concat({ type: 'Ready', status: 'True' }),
    },
  }
}

export interface RecordedCluster {
  services: Service[]
  nodes: Node[]
  /** The node of the gateway's pod. */
  pod: string
}

const EKS_NODE = readyNode(
  'ip-192-168-61-121.eu-central-1.compute.internal',
  ['InternalIP', '192.168.61.121'],
  ['ExternalIP', '198.51.100.175'],
  ['InternalDNS', 'ip-192-168-61-121.eu-central-1.compute.internal'],
  ['Hostname', 'ip-192-168-61-121.eu-central-1.compute.internal'],
  ['ExternalDNS', 'ec2-198-51-100-175.eu-central-1.compute.amazonaws.com'],
)
const EKS_PRIVATE_NODE = readyNode(
  'ip-192-168-7-9.eu-central-1.compute.internal',
  ['InternalIP', '192.168.7.9'],
  ['Hostname', 'ip-192-168-7-9.eu-central-1.compute.internal'],
  ['InternalDNS', 'ip-192-168-7-9.eu-central-1.compute.internal'],
)
const GKE_NODE = readyNode(
  'gke-mesh-default-pool-1f2e3d4c-abcd',
  ['InternalIP', '10.156.0.12'],
  ['ExternalIP', '198.51.100.34'],
  ['Hostname', 'gke-mesh-default-pool-1f2e3d4c-abcd'],
)
const BARE_NODES = [
  readyNode('control', ['InternalIP', '192.168.1.10'], ['Hostname', 'control']),
  readyNode('worker', ['InternalIP', '192.168.1.11'], ['Hostname', 'worker']),
]
const DUAL_NODE = readyNode(
  'worker',
  ['InternalIP', '192.168.1.11'],
  ['InternalIP', '2001:db8:1::11'],
  ['Hostname', 'worker'],
)
const SIX_NODE = readyNode('worker', ['InternalIP', '2001:db8:1::11'], ['Hostname', 'worker'])
const DUAL = { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'PreferDualStack', clusterIPs: ['10.96.12.7', 'fd00::7'] }
const SIX = { ipFamilies: ['IPv6'], clusterIP: 'fd00::7', clusterIPs: ['fd00::7'] }

const on = (nodes: Node[], ...services: Service[]): RecordedCluster => ({
  services,
  nodes,
  pod: nodes.at(-1)?.metadata.name ?? '',
})

export const EKS = on(
  [EKS_PRIVATE_NODE, EKS_NODE],
  gatewayService(
    { loadBalancerClass: 'service.k8s.aws/nlb' },
    [{ hostname: 'k8s-istiosys-istioing-0a1b2c3d4e-5f60718293a4b5c6.elb.eu-central-1.amazonaws.com' }],
    { 'service.beta.kubernetes.io/aws-load-balancer-scheme': 'internet-facing' },
  ),
)
export const GKE = on(
  [GKE_NODE],
  gatewayService({}, [{ ip: '203.0.113.34', ipMode: 'VIP' }], { 'cloud.google.com/neg': '{"ingress":true}' }),
)
/** Its load balancer keeps source addresses, and reports a status for each port. */
export const WITH_PORTS = on(
  [GKE_NODE],
  gatewayService({ externalTrafficPolicy: 'Local', healthCheckNodePort: 31999 }, [
    { ip: '203.0.113.35', ipMode: 'Proxy', ports: [{ port: 443, protocol: 'TCP' }] },
  ]),
)
export const METALLB = on(
  BARE_NODES,
  gatewayService({}, [{ ip: '192.168.1.240', ipMode: 'VIP' }], {
    'metallb.io/ip-allocated-from-pool': 'lan',
  }),
)
/** k3s' own load balancer reports the addresses of its nodes. */
export const K3S = on(
  BARE_NODES,
  gatewayService({}, [
    { ip: '192.168.1.10', ipMode: 'VIP' },
    { ip: '192.168.1.11', ipMode: 'VIP' },
  ]),
)
export const PENDING_BARE_METAL = on(BARE_NODES, gatewayService({}))
export const PENDING_CLOUD = on([EKS_PRIVATE_NODE, EKS_NODE], gatewayService({}))
export const NODE_PORT = on(BARE_NODES, gatewayService({ type: 'NodePort' }))
export const EXTERNAL_IPS = on(BARE_NODES, gatewayService({ type: 'ClusterIP', externalIPs: ['192.0.2.80'] }))
export const CLUSTER_IP = on(BARE_NODES, gatewayService({ type: 'ClusterIP' }))
export const SIX_ONLY = on([SIX_NODE], gatewayService(SIX, [{ ip: '2001:db8:2::9', ipMode: 'VIP' }]))
export const SIX_ONLY_PENDING = on([SIX_NODE], gatewayService(SIX))
export const DUAL_STACK = on(
  [DUAL_NODE],
  gatewayService(DUAL, [
    { ip: '203.0.113.9', ipMode: 'VIP' },
    { ip: '2001:db8:2::9', ipMode: 'VIP' },
  ]),
)
export const DUAL_STACK_PENDING = on([DUAL_NODE], gatewayService(DUAL))
/** Without node ports, which clouds allow whose load balancers send to pods. */
export const NO_NODE_PORTS = on(
  [GKE_NODE],
  gatewayService({
    allocateLoadBalancerNodePorts: false,
    ports: INGRESS_PORTS.map(({ nodePort: _, ...port }) => port),
  }),
)
export const NO_GATEWAY = on(BARE_NODES)
