/** Ingress gateways and their neighbours as they are published (docs/decisions/0031). */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { Service, ServicePort } from '../../src/cluster/objects.ts'
import { alsoAt, endsTls, reachWords } from '../../src/gateways/balancer.ts'
import { hostConflicts, protocolConflict } from '../../src/gateways/conflicts.ts'
import { boundPorts, findIngressGateways, gatewayName, gatewayOf, listenerPorts } from '../../src/gateways/find.ts'
import { INGRESS_PORTS, pod, service } from './gateway-objects.ts'

type Labels = Record<string, string>
const INGRESS = service({ ingress: [{ ip: '203.0.113.9' }] })
const PODS = [pod()]

function local(name: string, ports: ServicePort[], selector: Labels, labels: Labels = {}): Service {
  const one = service({ name, type: 'ClusterIP', ports, selector })
  return { ...one, metadata: { ...one.metadata, labels } }
}

function gateway(name: string, namespace: string, servers: object[], selector: Labels): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: { name, namespace, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { selector, servers },
  }
}

function found(services: Service[], pods = PODS) {
  const [only, ...rest] = findIngressGateways(services, pods)
  assert.ok(only)
  assert.deepEqual(rest, [])
  return only
}

describe('published gateways', () => {
  /** Knative's Service before the pods of the ingress gateway, with its label. */
  const knative = local(
    'knative-local-gateway',
    [{ name: 'http2', port: 80, targetPort: 8081 }],
    { istio: 'ingressgateway' },
    { 'experimental.istio.io/disable-gateway-port-translation': 'true' },
  )
  const localGateway = (server: object) =>
    gateway('knative-local-gateway', 'knative-serving', [server], { istio: 'ingressgateway' })

  it("Knative's Service before the same pods is no second gateway, and no second address", () => {
    const one = found([INGRESS, knative])
    assert.equal(gatewayName(one), 'istio-system/istio-ingressgateway')
    assert.equal(alsoAt(one, 443), undefined)
    assert.equal(alsoAt(one, 80), undefined)
  })

  it('its port 80 is not that of the gateway, because its label tells Istio so', () => {
    const one = found([INGRESS, knative])
    assert.deepEqual(boundPorts(one, 80), [8080])
    const without = { ...knative, metadata: { ...knative.metadata, labels: {} } }
    assert.deepEqual(boundPorts(found([INGRESS, without]), 80), [8080, 8081])
    // Guards name more ports rather than too few: older versions of Istio do not know the label.
    assert.deepEqual(listenerPorts(one, 80), [80, 8080, 8081])
  })

  for (const [name, server] of [
    ['Knative', { port: { number: 8081, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }],
    [
      'KServe in Open Data Hub',
      {
        port: { number: 8081, name: 'https', protocol: 'HTTPS' },
        tls: { mode: 'ISTIO_MUTUAL' },
        hosts: ['*.svc.cluster.local'],
      },
    ],
  ] as const)
    it(`the local Gateway of ${name} is in the way of neither HTTPS nor HTTP`, () => {
      const one = found([INGRESS, knative])
      for (const [number, secure] of [
        [443, true],
        [80, false],
      ] as const)
        assert.equal(protocolConflict({ number, secure }, one, [localGateway(server)]), undefined)
      assert.deepEqual(hostConflicts([{ host: 'grafana.example.com', port: 443 }], one, [localGateway(server)]), [])
    })

  it('without the label, HTTPS on 8081 takes port 80 from HTTP', () => {
    const server = { port: { number: 8081, name: 'https', protocol: 'HTTPS' }, tls: {}, hosts: ['*'] }
    const one = found([INGRESS, { ...knative, metadata: { ...knative.metadata, labels: {} } }])
    const conflict = protocolConflict({ number: 80, secure: false }, one, [localGateway(server)])
    assert.equal(conflict?.target, 8081)
  })

  it("Kubeflow's local gateway and the Service that leads to it are left out", () => {
    const selector = { app: 'cluster-local-gateway', istio: 'cluster-local-gateway' }
    const http = { name: 'http2', port: 80, targetPort: 8080 }
    const services = [
      INGRESS,
      local('cluster-local-gateway', [{ name: 'status-port', port: 15020 }, http], selector),
      local('knative-local-gateway', [{ ...http, targetPort: 8081 }], selector),
    ]
    const one = found(services, [...PODS, pod({ name: 'cluster-local-gateway-1', labels: selector })])
    assert.equal(gatewayName(one), 'istio-system/istio-ingressgateway')
    assert.deepEqual(boundPorts(one, 80), [8080])
    const servers = [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }]
    const theirs = gateway('istio-ingressgateway', 'istio-system', servers, { istio: 'ingressgateway' })
    assert.equal(protocolConflict({ number: 443, secure: true }, one, [theirs]), undefined)
    assert.equal(protocolConflict({ number: 80, secure: false }, one, [theirs]), undefined)
  })

  it("the sample of Google's service mesh is internal, and its pods listen on the ports of the Service", () => {
    // The API server fills in a target port that is left out.
    const ports = [
      { name: 'status-port', port: 15021, targetPort: 15021 },
      { name: 'http2', port: 80, targetPort: 80 },
      { name: 'https', port: 443, targetPort: 443 },
    ]
    const sample = service({ ports, ingress: [{ ip: '10.156.0.40' }] })
    const one = found([
      {
        ...sample,
        metadata: { ...sample.metadata, annotations: { 'networking.gke.io/load-balancer-type': 'Internal' } },
      },
    ])
    assert.deepEqual(boundPorts(one, 443), [443])
    assert.equal(reachWords(one.service), 'internal, 10.156.0.40')
  })

  it("Kyma's load balancer sends TLS on, with the PROXY protocol", () => {
    const annotations = {
      'service.beta.kubernetes.io/aws-load-balancer-proxy-protocol': '*',
      'service.beta.kubernetes.io/aws-load-balancer-connection-idle-timeout': '4000',
    }
    const kyma = { ...INGRESS, metadata: { ...INGRESS.metadata, annotations } }
    assert.equal(endsTls(kyma, 443), false)
    assert.equal(reachWords(found([kyma]).service), 'public, 203.0.113.9')
  })

  it('a gateway that only a Route of OpenShift makes reachable is none, unless --gateway names it', () => {
    const sail = local('istio-ingressgateway', INGRESS_PORTS, { istio: 'ingressgateway' })
    assert.deepEqual(findIngressGateways([sail], PODS), [])
    assert.ok(gatewayOf(sail, PODS))
  })
})
