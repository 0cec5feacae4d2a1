import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Node, Pod } from '../../src/cluster/objects.ts'
import {
  addressInUse,
  ipAddresses,
  namedAddress,
  nodeAddress,
  outsidePort,
  resolvedAddress,
  serviceAddress,
} from '../../src/gateways/address.ts'
import { gatewayOf, type IngressGateway } from '../../src/gateways/find.ts'
import { INGRESS_PORTS, node, nodeOf, pod, type ServiceSettings, service } from './gateway-objects.ts'

describe('serviceAddress', () => {
  const v4 = '203.0.113.9'
  const v6 = '2001:db8::9'
  const hostname = 'a0b1c2d3e4f5-1234567890.eu-central-1.elb.amazonaws.com'
  const http = [{ port: 443, protocol: 'TCP' }]
  // Recorded from clouds and their documentation, without other fields.
  const balanced: [string, ServiceSettings['ingress'], string | undefined, string[]?][] = [
    ['the host name that EKS gives', [{ hostname }], hostname],
    ['the address that GKE gives', [{ ip: v4, ipMode: 'VIP' }], v4],
    ['the address that AKS gives', [{ ip: v4, ipMode: 'VIP' }], v4],
    ['the address of a proxy, which stays outside', [{ ip: v4, ipMode: 'Proxy' }], v4],
    ['the private address that MetalLB gives', [{ ip: '192.168.1.240', ipMode: 'VIP' }], '192.168.1.240'],
    [
      "the first node's of k3s, which lists all of them",
      ['192.168.1.11', '192.168.1.12', '192.168.1.13'].map((ip) => ({ ip, ipMode: 'VIP' })),
      '192.168.1.11',
      ['192.168.1.12', '192.168.1.13'],
    ],
    ['the address of OpenStack beside its name', [{ ip: v4, hostname: '203.0.113.9.nip.io' }], v4],
    ['the address when the name is a later entry', [{ hostname }, { ip: v4 }], v4],
    ['an IPv6 address, when there is no other', [{ ip: v6 }], v6],
    ['the IPv6 address rather than a name', [{ hostname }, { ip: v6 }], v6],
    ['the IPv4 address of a dual stack', [{ ip: v4 }, { ip: v6 }], v4, [v6]],
    ['the IPv4 address of a dual stack that gives it last', [{ ip: v6 }, { ip: v4 }], v4, [v6]],
    [
      'one address when it is listed for each port',
      [
        { ip: v4, ports: http },
        { ip: v4, ports: http },
      ],
      v4,
    ],
    ['the first of several names', [{ hostname }, { hostname: 'b.example.net' }], hostname],
    ['none while EXTERNAL-IP is pending (kind, minikube)', undefined, undefined],
    ['none when the list is empty', [], undefined],
    ['none when the entry is empty', [{ ip: '' }, { hostname: '' }, {}], undefined],
  ]
  for (const [name, ingress, address, others = []] of balanced) {
    it(`is ${name}`, () => {
      const kind = address === hostname ? 'hostname' : 'ip'
      const expected = address && { address, kind, via: 'load-balancer', onNode: false, others }
      assert.deepEqual(serviceAddress(gateway(ingress === undefined ? {} : { ingress })), expected)
    })
  }

  const external: [string, ServiceSettings, string | undefined, string[]?][] = [
    ['an external IP while the load balancer is pending', { externalIPs: ['192.0.2.7'] }, '192.0.2.7'],
    ['an external IP of a NodePort Service', { type: 'NodePort', externalIPs: ['192.0.2.7'] }, '192.0.2.7'],
    ['an external IP of a ClusterIP Service', { type: 'ClusterIP', externalIPs: ['192.0.2.7'] }, '192.0.2.7'],
    ['the IPv4 one of several', { externalIPs: [v6, '192.0.2.7', '192.0.2.8'] }, '192.0.2.7', [v6, '192.0.2.8']],
    ['none of a NodePort Service', { type: 'NodePort' }, undefined],
    ['none of a ClusterIP Service', { type: 'ClusterIP' }, undefined],
  ]
  for (const [name, settings, address, others = []] of external) {
    it(`is ${name}`, () => {
      const expected = address && { address, kind: 'ip', via: 'external-ip', onNode: false, others }
      assert.deepEqual(serviceAddress(gateway(settings)), expected)
    })
  }

  it("prefers the load balancer's address to an external IP", () => {
    const { address, via } = serviceAddress(gateway({ ingress: [{ ip: v6 }], externalIPs: ['192.0.2.7'] })) ?? {}
    assert.deepEqual([address, via], [v6, 'load-balancer'])
  })

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
      const { others, ...found } = nodeAddress(gateway({}, pods), nodes) ?? {}
      assert.deepEqual(found, address === undefined ? {} : { address, kind: 'ip', via: 'node-port', onNode: true })
    })
  }

  const dual = (name: string, last: number) =>
    nodeOf(name, [
      ['InternalIP', `2001:db8::${last}`],
      ['InternalIP', `10.0.0.${last}`],
    ])

  it('is the IPv4 address of a dual-stack node, whichever comes first', () => {
    const found = nodeAddress(gateway({}, [on('b')]), [dual('a', 1), dual('b', 2)])
    assert.equal(found?.address, '10.0.0.2')
    assert.deepEqual(found?.others, ['2001:db8::2', '2001:db8::1', '10.0.0.1'])
  })

  it('lists every other address of every ready node', () => {
    const nodes = [both('a', 1), internal('b', 2), node('c', { InternalIP: '10.0.0.3' }, 'False')]
    assert.deepEqual(nodeAddress(gateway(), nodes)?.others, ['10.0.0.1', '10.0.0.2'])
  })

  const local = { type: 'NodePort', externalTrafficPolicy: 'Local' }
  const placed: [string, ServiceSettings, Pod[], string | undefined, string[]][] = [
    ['only a node of the gateway', local, [on('b')], '10.0.0.2', []],
    ['any node while no gateway pod is placed', local, [pod()], '203.0.113.1', ['10.0.0.1', '10.0.0.2']],
    ['any node when traffic is passed on', { type: 'NodePort' }, [on('b')], '203.0.113.1', ['10.0.0.1', '10.0.0.2']],
  ]
  for (const [name, settings, pods, address, others] of placed) {
    it(`is ${name} (externalTrafficPolicy ${settings.externalTrafficPolicy ?? 'Cluster'})`, () => {
      const found = nodeAddress(gateway(settings, pods), [both('a', 1), internal('b', 2)])
      assert.equal(found?.address, address)
      assert.deepEqual([...(found?.others ?? [])].sort(), others)
    })
  }

  it('is none for a Service without node ports', () => {
    const ports = INGRESS_PORTS.map(({ nodePort: _, ...port }) => port)
    assert.equal(nodeAddress(gateway({ ports }), [node('a', { InternalIP: '10.0.0.1' })]), undefined)
  })
})

describe('outsidePort', () => {
  it("is the Service's port, or its node port at a node", () => {
    const nodes = [node('a', { InternalIP: '10.0.0.1' })]
    assert.equal(outsidePort(namedAddress('192.0.2.10', gateway(), nodes), service(), 443), 443)
    assert.equal(outsidePort(namedAddress('10.0.0.1', gateway(), nodes), service(), 443), 30443)
  })

  it('is the TCP port when UDP has the same number (HTTP/3)', () => {
    const ports = [
      { name: 'http3', port: 443, protocol: 'UDP', nodePort: 31003 },
      { name: 'https', port: 443, protocol: 'TCP', nodePort: 31443 },
    ]
    const address = nodeAddress(gateway({ ports }), [node('a', { InternalIP: '10.0.0.1' })])
    assert.ok(address)
    assert.equal(outsidePort(address, service({ ports }), 443), 31443)
  })

  it('is undefined for a port that the Service does not have yet', () => {
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
      assert.deepEqual(namedAddress(address, gateway(), nodes), { address, kind, via: 'flag', onNode, others: [] })
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

describe('namedAddress of a dual-stack gateway', () => {
  const ingress = [{ ip: '203.0.113.9' }, { ip: '2001:db8::9' }]
  it('knows the other one, however the named one is spelled', () => {
    assert.deepEqual(namedAddress('2001:DB8:0::9', gateway({ ingress }), []).others, ['203.0.113.9'])
  })

  it('knows no other of an address that is not its own', () => {
    assert.deepEqual(namedAddress('192.0.2.10', gateway({ ingress }), []).others, [])
  })
})

describe('resolvedAddress', () => {
  const cases: [string, string[], string | undefined, string[]][] = [
    [
      'the first IPv4 address',
      ['2001:db8::1', '203.0.113.1', '203.0.113.2'],
      '203.0.113.1',
      ['2001:db8::1', '203.0.113.2'],
    ],
    ['the first IPv6 address when there is no other', ['2001:db8::1', '2001:db8::2'], '2001:db8::1', ['2001:db8::2']],
    ['none when the name does not resolve', [], undefined, []],
  ]
  for (const [name, resolved, address, others] of cases) {
    it(`is ${name}`, () => {
      const found = resolvedAddress(namedAddress('lb.example.net', gateway(), []), resolved)
      assert.deepEqual(found, address && { address, kind: 'ip', via: 'flag', onNode: false, others })
    })
  }
})

describe('addressInUse', () => {
  const ingress = ['203.0.113.1', '203.0.113.2', '2001:db8:0::1'].map((ip) => ({ ip }))
  const cases: [string, string[], string, string[]][] = [
    ['the one in use', ['203.0.113.2'], '203.0.113.2', ['203.0.113.1', '2001:db8::1']],
    ['the one in use, also when it is of IPv6', ['2001:db8::1'], '2001:db8::1', ['203.0.113.1', '203.0.113.2']],
    ['as it was when none is in use', [], '203.0.113.1', ['203.0.113.2', '2001:db8:0::1']],
    ['as it was when the one in use is gone', ['203.0.113.9'], '203.0.113.1', ['203.0.113.2', '2001:db8:0::1']],
  ]
  for (const [name, inUse, address, others] of cases) {
    it(`is ${name}`, () => {
      const found = serviceAddress(gateway({ ingress }))
      assert.ok(found)
      assert.deepEqual(addressInUse(found, inUse), { ...found, address, others })
    })
  }
})

describe('ipAddresses', () => {
  it('are all that lead to the gateway, in one spelling', () => {
    const ingress = [{ ip: '2001:DB8:0::9' }, { ip: '203.0.113.9' }, { hostname: 'lb.example.net' }]
    const found = serviceAddress(gateway({ ingress }))
    assert.deepEqual(found && ipAddresses(found), ['203.0.113.9', '2001:db8::9'])
  })

  it('are none of a host name', () => assert.deepEqual(ipAddresses(namedAddress('lb.example.net', gateway(), [])), []))
})

function on(nodeName: string): Pod {
  return pod({ nodeName })
}

function gateway(settings: ServiceSettings = {}, pods: Pod[] = [pod()]): IngressGateway {
  const found = gatewayOf(service(settings), pods)
  assert.ok(found)
  return found
}
