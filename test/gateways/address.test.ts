import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Node, Pod } from '../../src/cluster/objects.ts'
import {
  type IngressAddress,
  namedAddress,
  nodeAddress,
  outsidePort,
  serviceAddress,
} from '../../src/gateways/address.ts'
import { gatewayOf, type IngressGateway } from '../../src/gateways/find.ts'
import { INGRESS_PORTS, node, pod, type ServiceSettings, service } from './gateway-objects.ts'

describe('serviceAddress', () => {
  const hostname = 'k8s-istio-0a1b2c3d4e.elb.eu-central-1.amazonaws.com'
  const cases: [string, ServiceSettings, IngressAddress | undefined][] = [
    [
      'the host name that EKS gives',
      { ingress: [{ hostname }] },
      { address: hostname, kind: 'hostname', via: 'load-balancer', onNode: false },
    ],
    [
      'the IP address that GKE gives',
      { ingress: [{ ip: '203.0.113.9' }] },
      { address: '203.0.113.9', kind: 'ip', via: 'load-balancer', onNode: false },
    ],
    [
      'the private address that MetalLB gives',
      { ingress: [{ ip: '192.168.1.240' }] },
      { address: '192.168.1.240', kind: 'ip', via: 'load-balancer', onNode: false },
    ],
    [
      'an IPv6 address',
      { ingress: [{ ip: '2001:db8::9' }] },
      { address: '2001:db8::9', kind: 'ip', via: 'load-balancer', onNode: false },
    ],
    [
      'the first of several addresses',
      { ingress: [{ ip: '203.0.113.9' }, { ip: '2001:db8::9' }] },
      { address: '203.0.113.9', kind: 'ip', via: 'load-balancer', onNode: false },
    ],
    [
      'the IP address when there is a host name too',
      { ingress: [{ ip: '203.0.113.9', hostname }] },
      { address: '203.0.113.9', kind: 'ip', via: 'load-balancer', onNode: false },
    ],
    [
      "the load balancer's address rather than an external IP",
      { ingress: [{ ip: '203.0.113.9' }], externalIPs: ['192.0.2.7'] },
      { address: '203.0.113.9', kind: 'ip', via: 'load-balancer', onNode: false },
    ],
    [
      'the external IP when the load balancer is pending',
      { externalIPs: ['192.0.2.7', '192.0.2.8'] },
      { address: '192.0.2.7', kind: 'ip', via: 'external-ip', onNode: false },
    ],
    ['none while EXTERNAL-IP is pending', {}, undefined],
    ['none when the load balancer has given an empty list', { ingress: [] }, undefined],
    ['none when the load balancer has given an empty address', { ingress: [{ ip: '' }] }, undefined],
    ['none for a NodePort Service', { type: 'NodePort' }, undefined],
  ]
  for (const [name, settings, expected] of cases) {
    it(`is ${name}`, () => assert.deepEqual(serviceAddress(gateway(settings)), expected))
  }

  it('is none for a Service without a status', () => {
    const { service, ...rest } = gateway()
    const { status, ...bare } = service
    assert.notEqual(status, undefined)
    assert.equal(serviceAddress({ ...rest, service: bare as typeof service }), undefined)
  })
})

describe('nodeAddress', () => {
  const internal = (name: string, last: number) => node(name, { InternalIP: `10.0.0.${last}` })
  const both = (name: string, last: number) =>
    node(name, { InternalIP: `10.0.0.${last}`, ExternalIP: `203.0.113.${last}` })

  const cases: [string, Node[], Pod[], string | undefined][] = [
    ['the ExternalIP of a node, even if the InternalIP comes first', [both('a', 1)], [on('a')], '203.0.113.1'],
    ['the InternalIP when there is no ExternalIP', [internal('a', 1)], [on('a')], '10.0.0.1'],
    ["the gateway's node before others", [both('a', 1), both('b', 2)], [on('b')], '203.0.113.2'],
    [
      "another node's ExternalIP before the gateway's node's InternalIP",
      [both('a', 1), internal('b', 2)],
      [on('b')],
      '203.0.113.1',
    ],
    [
      "the first of the gateway's nodes",
      [internal('a', 1), internal('b', 2), internal('c', 3)],
      [on('c'), on('b')],
      '10.0.0.2',
    ],
    ['any ready node when the pods are not placed', [internal('a', 1), internal('b', 2)], [pod()], '10.0.0.1'],
    [
      'a ready node when the one of the gateway is not',
      [node('a', { InternalIP: '10.0.0.1' }, 'Unknown'), internal('b', 2)],
      [on('a')],
      '10.0.0.2',
    ],
    [
      'the node whose gateway pod is ready rather than one whose pod is not',
      [internal('a', 1), internal('b', 2)],
      [pod({ nodeName: 'a', ready: false }), on('b')],
      '10.0.0.2',
    ],
    [
      'the first ready node when no gateway pod is ready',
      [internal('a', 1), internal('b', 2)],
      [pod({ nodeName: 'b', ready: false })],
      '10.0.0.1',
    ],
    ['an IPv6 address', [node('a', { InternalIP: '2001:db8::a' })], [on('a')], '2001:db8::a'],
    ['none without nodes', [], [on('a')], undefined],
    ['none when no node is ready', [node('a', { InternalIP: '10.0.0.1' }, 'False')], [on('a')], undefined],
    ['none when nodes have host names only', [node('a', {})], [on('a')], undefined],
  ]
  for (const [name, nodes, pods, address] of cases) {
    it(`is ${name}`, () => {
      const expected = address === undefined ? undefined : { address, kind: 'ip', via: 'node-port', onNode: true }
      assert.deepEqual(nodeAddress(gateway({}, pods), nodes), expected)
    })
  }

  it('is none for a Service without node ports', () => {
    const ports = INGRESS_PORTS.map(({ nodePort: _, ...port }) => port)
    assert.equal(nodeAddress(gateway({ ports }), [node('a', { InternalIP: '10.0.0.1' })]), undefined)
  })
})

describe('outsidePort', () => {
  it("is the Service's own, or at a node its node port", () => {
    const nodes = [node('a', { InternalIP: '10.0.0.1' })]
    assert.equal(outsidePort(namedAddress('192.0.2.10', gateway(), nodes), service(), 443), 443)
    assert.equal(outsidePort(namedAddress('10.0.0.1', gateway(), nodes), service(), 443), 30443)
  })

  it('is not known for a port that the Service does not have yet', () => {
    const address = nodeAddress(gateway(), [node('a', { InternalIP: '10.0.0.1' })])
    assert.ok(address)
    assert.equal(outsidePort(address, service(), 15031), undefined)
  })
})

describe('namedAddress', () => {
  const nodes = [node('node-a', { InternalIP: '10.0.0.1', ExternalIP: '203.0.113.1' })]
  const cases: [string, string, boolean][] = [
    ['a node', '10.0.0.1', true],
    ['the outer address of a node', '203.0.113.1', true],
    ['a node by its host name', 'node-a', true],
    ['any other address', '192.0.2.10', false],
    ['any other host name', 'lb.example.com', false],
  ]
  for (const [name, address, onNode] of cases) {
    it(`is ${onNode ? "a node's" : 'no node’s'} for ${name}`, () => {
      const kind = /^[\d.]+$/.test(address) ? 'ip' : 'hostname'
      assert.deepEqual(namedAddress(address, gateway(), nodes), { address, kind, via: 'flag', onNode })
    })
  }

  it('has no node ports when the Service has none', () => {
    const ports = INGRESS_PORTS.map(({ nodePort: _, ...port }) => port)
    assert.equal(namedAddress('10.0.0.1', gateway({ ports }), nodes).onNode, false)
  })

  it('takes an IPv6 address for an address', () => {
    assert.equal(namedAddress('2001:db8::1', gateway(), []).kind, 'ip')
  })
})

function on(nodeName: string): Pod {
  return pod({ nodeName })
}

function gateway(settings: ServiceSettings = {}, pods: Pod[] = [pod()]): IngressGateway {
  const found = gatewayOf(service(settings), pods)
  assert.ok(found)
  return found
}
