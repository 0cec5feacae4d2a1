import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Pod, Service } from '../../src/cluster/objects.ts'
import { findIngressGateways, gatewayName, gatewayOf, isGatewayPod, portNumbered } from '../../src/gateways/find.ts'
import { EAST_WEST_PORTS, INGRESS_PORTS, pod, ROUTER, SIDECAR, service } from './gateway-objects.ts'

describe('findIngressGateways', () => {
  const found: [string, Service[], Pod[], string[]][] = [
    ["istioctl's ingress gateway", [service()], [pod()], ['istio-system/istio-ingressgateway']],
    ['a gateway of type NodePort', [service({ type: 'NodePort' })], [pod()], ['istio-system/istio-ingressgateway']],
    [
      'a gateway of type ClusterIP with external IPs',
      [service({ type: 'ClusterIP', externalIPs: ['192.0.2.7'] })],
      [pod()],
      ['istio-system/istio-ingressgateway'],
    ],
    [
      'a gateway of another name, in another namespace, with other labels',
      [service({ namespace: 'edge', name: 'front-door', selector: { app: 'front', tier: 'edge' } })],
      [pod({ namespace: 'edge', labels: { app: 'front', tier: 'edge', 'pod-template-hash': 'x' } })],
      ['edge/front-door'],
    ],
    [
      'two gateways, in the order of their Services',
      [service({ namespace: 'b' }), service({ namespace: 'a' })],
      [pod({ namespace: 'a' }), pod({ namespace: 'b' })],
      ['b/istio-ingressgateway', 'a/istio-ingressgateway'],
    ],
    [
      'a gateway whose pods are not ready yet',
      [service()],
      [pod({ ready: false })],
      ['istio-system/istio-ingressgateway'],
    ],
  ]
  for (const [name, services, pods, names] of found) {
    it(`finds ${name}`, () => assert.deepEqual(findIngressGateways(services, pods).map(gatewayName), names))
  }

  it('passes over a gateway whose Service is being deleted', () => {
    const [kept, ending] = [service({ namespace: 'a' }), service({ namespace: 'b' })]
    ending.metadata.deletionTimestamp = '2026-11-21T12:00:00Z'
    const pods = [pod({ namespace: 'a' }), pod({ namespace: 'b' })]
    assert.deepEqual(findIngressGateways([kept, ending], pods).map(gatewayName), ['a/istio-ingressgateway'])
  })

  const egress = { istio: 'egressgateway' }
  const managed = { istio: 'ingressgateway', 'gateway.networking.k8s.io/gateway-name': 'public' }
  const passedOver: [string, Service[], Pod[]][] = [
    [
      'egress gateways, which are for the cluster alone',
      [service({ type: 'ClusterIP', selector: egress })],
      [pod({ labels: egress })],
    ],
    [
      'a Service of type ClusterIP with an empty list of external IPs',
      [service({ type: 'ClusterIP', externalIPs: [] })],
      [pod()],
    ],
    ['east-west gateways, which have no port 443', [service({ ports: EAST_WEST_PORTS })], [pod()]],
    ['a gateway that Gateway API manages', [service()], [pod({ labels: managed })]],
    ['a Service without pods', [service()], []],
    ['applications with a sidecar', [service()], [pod({ args: SIDECAR })]],
    ["other people's load balancers", [service()], [pod({ args: ['/nginx-ingress-controller'] })]],
    ['gateway pods of the same labels in another namespace', [service({ namespace: 'other' })], [pod()]],
    ['pods that lack one of the labels', [service({ selector: { istio: 'ingressgateway', zone: 'a' } })], [pod()]],
    ['a Service without a selector', [service({ selector: {} })], [pod()]],
    ['a Service without ports', [service({ ports: [] })], [pod()]],
    ['a Service with port 443 for HTTP/3 alone', [service({ ports: [{ port: 443, protocol: 'UDP' }] })], [pod()]],
  ]
  for (const [name, services, pods] of passedOver) {
    it(`passes over ${name}`, () => assert.deepEqual(findIngressGateways(services, pods).map(gatewayName), []))
  }

  it('does not mix gateways of the same labels in two namespaces', () => {
    const services = [service({ namespace: 'a' }), service({ namespace: 'b' })]
    const pods = [pod({ namespace: 'a', name: 'a-1' }), pod({ namespace: 'b', name: 'b-1' })]
    const names = findIngressGateways(services, pods).map((gateway) =>
      gateway.pods.map(({ metadata }) => metadata.name),
    )
    assert.deepEqual(names, [['a-1'], ['b-1']])
  })
})

describe('gatewayOf', () => {
  it('knows the pods behind a Service, how many are ready, and their service account', () => {
    const pods = [
      pod({ name: 'one', serviceAccountName: 'front' }),
      pod({ name: 'two', serviceAccountName: 'front', ready: false }),
      pod({ name: 'sidecar', args: SIDECAR }),
      pod({ name: 'elsewhere', namespace: 'other' }),
      pod({ name: 'egress', labels: { istio: 'egressgateway' } }),
    ]
    const target = service()
    assert.deepEqual(gatewayOf(target, pods), {
      namespace: 'istio-system',
      service: target,
      services: [target],
      selector: { istio: 'ingressgateway' },
      pods: pods.slice(0, 2),
      readyPods: 1,
      serviceAccount: 'front',
    })
  })

  it('counts no pods that are being deleted, unless there are no others: between two pods of a restart it is still a gateway', () => {
    const [going, coming] = [pod({ name: 'going' }), pod({ name: 'coming', ready: false })]
    going.metadata.deletionTimestamp = '2026-11-21T12:00:00Z'
    const both = gatewayOf(service(), [going, coming])
    assert.deepEqual([both?.pods, both?.readyPods], [[coming], 0])
    const only = gatewayOf(service(), [going])
    assert.deepEqual([only?.pods, only?.readyPods], [[going], 0])
  })

  it("takes the namespace's default service account when the pods name none", () => {
    assert.equal(gatewayOf(service(), [pod()])?.serviceAccount, 'default')
  })

  it('takes a Service of type ClusterIP too, because it was named', () => {
    assert.equal(gatewayOf(service({ type: 'ClusterIP' }), [pod()])?.readyPods, 1)
  })
})

describe('isGatewayPod', () => {
  const cases: [string, string[] | undefined, boolean][] = [
    ['a router', ROUTER, true],
    ['a router behind other arguments', ['--log_level', 'debug', 'proxy', 'router'], true],
    ['a sidecar', SIDECAR, false],
    ['a waypoint', ['proxy', 'waypoint'], false],
    ['a container with the words in another order', ['router', 'proxy'], false],
    ['a container with other words between them', ['proxy', '--x', 'router'], false],
    ['a container without arguments', undefined, false],
  ]
  for (const [name, args, expected] of cases) {
    it(`is ${expected} for ${name}`, () => {
      const container = args === undefined ? { name: 'c' } : { name: 'c', args }
      assert.equal(isGatewayPod({ ...pod(), spec: { containers: [container] } }), expected)
    })
  }

  it('looks at every container, and at native sidecars among the init containers', () => {
    const router = { name: 'istio-proxy', args: ROUTER }
    const other = { name: 'other' }
    assert.ok(isGatewayPod({ ...pod(), spec: { containers: [other, router] } }))
    assert.ok(isGatewayPod({ ...pod(), spec: { containers: [other], initContainers: [other, router] } }))
  })
})

describe('portNumbered', () => {
  it('is port 443 of the Service, wherever it stands and whatever its name', () => {
    assert.equal(portNumbered(service(), 443)?.nodePort, 30443)
    assert.equal(portNumbered(service({ ports: [{ name: 'web', port: 443 }] }), 443)?.name, 'web')
  })

  it('is the one of TCP when UDP has the same number', () => {
    const ports = [
      { name: 'http3', port: 443, protocol: 'UDP', nodePort: 31003 },
      { name: 'https', port: 443, protocol: 'TCP', nodePort: 31443 },
    ]
    assert.equal(portNumbered(service({ ports }), 443)?.nodePort, 31443)
    assert.equal(portNumbered(service({ ports: ports.slice(0, 1) }), 443), undefined)
  })

  it('is missing when only a target or a node port has that number', () => {
    const ports = [{ name: 'https', port: 8443, targetPort: 443, nodePort: 443 }]
    assert.equal(portNumbered(service({ ports }), 443), undefined)
    assert.equal(portNumbered(service({ ports: INGRESS_PORTS.slice(0, 2) }), 443), undefined)
  })
})
