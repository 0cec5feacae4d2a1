/** Gateways without a load balancer, as people run them: a DaemonSet in the network of its nodes, ports of nodes, injected pods. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import { succeeded } from '../../src/exposing/result.ts'
import { status } from '../../src/status/status.ts'
import { grafana, node } from '../fakes/mesh.ts'
import { find, request, world } from './exposing.ts'

const LABELS = { app: 'edge', istio: 'edge' }
const NODES = [
  node('node-1', [{ type: 'InternalIP', address: '10.0.0.7' }]),
  node('node-2', [
    { type: 'InternalIP', address: '10.0.0.8' },
    { type: 'ExternalIP', address: '203.0.113.8' },
  ]),
]

/** The Service of Helm's chart `gateway` with `service.type: ClusterIP`. */
function service(ports: object[], type = 'ClusterIP'): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'edge', namespace: 'istio-ingress', labels: LABELS },
    spec: { type, clusterIP: '10.96.0.9', selector: LABELS, ports, internalTrafficPolicy: 'Cluster' },
    status: { loadBalancer: {} },
  }
}

/** A pod as istiod's template `gateway` injects it: the chart's container has only the name and `image: auto`. */
function injected(more: object, container: object = {}): KubeObject {
  const args = ['proxy', 'router', '--domain', '$(POD_NAMESPACE).svc.cluster.local', '--proxyLogLevel', 'warning']
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'edge-7xk2p',
      namespace: 'istio-ingress',
      labels: { ...LABELS, 'service.istio.io/canonical-name': 'edge', 'istio.io/rev': 'default' },
      annotations: { 'inject.istio.io/templates': 'gateway', 'istio.io/rev': 'default' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'edge', uid: 'd' }],
    },
    spec: {
      serviceAccountName: 'edge',
      nodeName: 'node-2',
      containers: [{ name: 'istio-proxy', image: 'docker.io/istio/proxyv2:1.31.0', args, ...container }],
      ...more,
    },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

const HTTP = { name: 'http2', port: 80, targetPort: 80 }
const HTTPS = { name: 'https', port: 443, targetPort: 443 }
const EDGE = { ...request, gateway: { namespace: 'istio-ingress', name: 'edge' } }
const ports = [{ name: 'https', containerPort: 8443, hostPort: 443 }]

describe('a gateway in the network of its nodes', () => {
  const cases: [string, KubeObject[], string][] = [
    [
      'is reached at a node that has a pod',
      [service([HTTP, HTTPS]), injected({ hostNetwork: true })],
      'https://grafana.203.0.113.8.nip.io/',
    ],
    [
      'at the port on which its pods listen',
      [service([{ ...HTTPS, targetPort: 8443 }]), injected({ hostNetwork: true })],
      'https://grafana.203.0.113.8.nip.io:8443/',
    ],
    [
      'at the ports of nodes that its containers have',
      [service([{ ...HTTPS, targetPort: 'https' }]), injected({}, { ports })],
      'https://grafana.203.0.113.8.nip.io/',
    ],
    [
      'at node ports, if its Service has them',
      [service([{ ...HTTPS, nodePort: 30443 }], 'NodePort'), injected({ hostNetwork: true })],
      'https://grafana.203.0.113.8.nip.io:30443/',
    ],
  ]
  for (const [what, objects, url] of cases)
    it(what, async () => {
      const one = world([...grafana(), ...objects, ...NODES])
      const { result } = await expose(EDGE, one)
      assert.ok(succeeded(result))
      assert.equal(result.exposures[0]?.url, url)
      assert.equal(find(one.cluster, 'Gateway').metadata.namespace, 'istio-ingress')
      const { addons } = await status({ expiresIn: 0 }, one)
      assert.equal(addons.find(({ name }) => name === 'grafana')?.exposure?.url, url)
    })

  it('is reached at the node that the user names', async () => {
    const objects = [service([{ ...HTTPS, targetPort: 8443 }]), injected({ hostNetwork: true })]
    const { result } = await expose(
      { ...EDGE, ingressAddress: '10.0.0.8' },
      world([...grafana(), ...objects, ...NODES]),
    )
    assert.equal(result.exposures[0]?.url, 'https://grafana.10.0.0.8.nip.io:8443/')
  })

  it('has no address where its pods have only their own network', async () => {
    const one = world([...grafana(), service([HTTP, HTTPS]), injected({}), ...NODES])
    await assert.rejects(expose(EDGE, one), { code: 'ADDRESS_NOT_FOUND' })
  })
})
