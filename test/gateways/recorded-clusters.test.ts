import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type IngressAddress, nodeAddress, serviceAddress } from '../../src/gateways/address.ts'
import { addressDomain } from '../../src/gateways/address-domain.ts'
import { findIngressGateways, gatewayName } from '../../src/gateways/find.ts'
import { pod } from './gateway-objects.ts'
import * as recorded from './recorded-clusters.ts'

const ELB = 'k8s-istiosys-istioing-0a1b2c3d4e-5f60718293a4b5c6.elb.eu-central-1.amazonaws.com'

interface Expected extends Pick<IngressAddress, 'address' | 'kind' | 'via'> {
  /** The default domain, if there is one. */
  domain: string | undefined
}

/** @param address an IPv4 address, whose default domain is nip.io's */
const four = (address: string, via: IngressAddress['via']): Expected => ({
  address,
  kind: 'ip',
  via,
  domain: `${address}.nip.io`,
})
const six = (address: string, via: IngressAddress['via']): Expected => ({
  address,
  kind: 'ip',
  via,
  domain: `${address.replaceAll(':', '-')}.sslip.io`,
})

describe('recorded clusters', () => {
  const cases: [title: string, recorded.RecordedCluster, Expected | undefined][] = [
    [
      'EKS: the host name of its load balancer',
      recorded.EKS,
      { address: ELB, kind: 'hostname', via: 'load-balancer', domain: undefined },
    ],
    ['GKE: the IP address of its load balancer', recorded.GKE, four('203.0.113.34', 'load-balancer')],
    [
      'a cloud that lists ports, with a health check node port',
      recorded.WITH_PORTS,
      four('203.0.113.35', 'load-balancer'),
    ],
    ['MetalLB: an address of its pool', recorded.METALLB, four('192.168.1.240', 'load-balancer')],
    ['k3s: the first of its nodes’ addresses', recorded.K3S, four('192.168.1.10', 'load-balancer')],
    ['bare metal, pending: the node of the pod', recorded.PENDING_BARE_METAL, four('192.168.1.11', 'node-port')],
    ['a cloud, pending: the ExternalIP of a node', recorded.PENDING_CLOUD, four('198.51.100.175', 'node-port')],
    ['type NodePort: the node of the pod', recorded.NODE_PORT, four('192.168.1.11', 'node-port')],
    ['type ClusterIP with externalIPs', recorded.EXTERNAL_IPS, four('192.0.2.80', 'external-ip')],
    ['IPv6 only', recorded.SIX_ONLY, six('2001:db8:2::9', 'load-balancer')],
    ['IPv6 only, pending: the node', recorded.SIX_ONLY_PENDING, six('2001:db8:1::11', 'node-port')],
    ['dual stack: the IPv4 address', recorded.DUAL_STACK, four('203.0.113.9', 'load-balancer')],
    ['dual stack, pending: the node’s IPv4 address', recorded.DUAL_STACK_PENDING, four('192.168.1.11', 'node-port')],
    ['pending without node ports: none', recorded.NO_NODE_PORTS, undefined],
  ]
  for (const [title, cluster, expected] of cases) {
    it(title, () => {
      const [gateway, second] = gatewaysOf(cluster)
      assert.ok(gateway)
      assert.equal(second, undefined)
      const found = serviceAddress(gateway) ?? nodeAddress(gateway, cluster.nodes)
      assert.deepEqual(
        found && { address: found.address, kind: found.kind, via: found.via, domain: addressDomain(found.address) },
        expected,
      )
    })
  }

  it('only type ClusterIP: no reachable gateway', () => {
    assert.deepEqual(gatewaysOf(recorded.CLUSTER_IP), [])
  })

  it('no gateway at all: none', () => {
    assert.deepEqual(gatewaysOf(recorded.NO_GATEWAY), [])
  })

  it('several: a public and a private gateway of EKS with the same pods are two choices', () => {
    const [outer] = recorded.EKS.services
    assert.ok(outer)
    const inner = { ...outer, metadata: { ...outer.metadata, name: 'istio-ingressgateway-internal' } }
    const found = gatewaysOf({ ...recorded.EKS, services: [outer, inner] })
    assert.deepEqual(found.map(gatewayName), [
      'istio-system/istio-ingressgateway',
      'istio-system/istio-ingressgateway-internal',
    ])
  })
})

function gatewaysOf({ services, pod: nodeName }: recorded.RecordedCluster) {
  const labels = { app: 'istio-ingressgateway', istio: 'ingressgateway', 'pod-template-hash': '5d8c' }
  return findIngressGateways(services, [pod({ labels, nodeName })])
}
