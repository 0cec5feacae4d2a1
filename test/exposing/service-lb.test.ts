/**
 * k3s' ServiceLB (Klipper): a DaemonSet of pods with a hostPort for each port of a Service, whose nodes are its addresses. Shapes as k3s 1.34
 * writes them (pkg/cloudprovider/servicelb.go); names and addresses are reserved for documentation.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import { succeeded } from '../../src/exposing/result.ts'
import { status } from '../../src/status/status.ts'
import { grafana, ingressGateway, node } from '../fakes/mesh.ts'
import { request, world } from './exposing.ts'

const NODES = ['192.168.1.10', '192.168.1.11'].map((address, index) =>
  node(`node-${index}`, [
    { type: 'InternalIP', address },
    { type: 'Hostname', address: `node-${index}` },
  ]),
)
const ADDRESSES = ['192.168.1.10', '192.168.1.11'].map((ip) => ({ ip, ipMode: 'VIP' }))

/** The pods of ServiceLB for a Service, one on each node. */
function svclb(namespace: string, service: string, ports: number[], isScheduled = true): KubeObject[] {
  const name = `svclb-${service}-8873439e`
  return NODES.map(({ metadata: { name: nodeName } }, index) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-${index}`,
      namespace: 'kube-system',
      labels: {
        app: name,
        'svccontroller.k3s.cattle.io/svcname': service,
        'svccontroller.k3s.cattle.io/svcnamespace': namespace,
      },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name, uid: 'd', controller: true }],
    },
    spec: {
      serviceAccountName: 'svclb',
      ...(isScheduled ? { nodeName } : {}),
      containers: ports.map((port) => ({
        name: `lb-tcp-${port}`,
        image: 'rancher/klipper-lb:v0.4.13',
        ports: [{ name: `lb-tcp-${port}`, containerPort: port, hostPort: port, protocol: 'TCP' }],
        env: [
          { name: 'SRC_PORT', value: String(port) },
          { name: 'DEST_PORT', value: String(port) },
          { name: 'DEST_IPS', value: '10.43.12.7' },
        ],
      })),
    },
    status: isScheduled
      ? { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }
      : {
          phase: 'Pending',
          conditions: [
            {
              type: 'PodScheduled',
              status: 'False',
              reason: 'Unschedulable',
              message: "0/2 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
            },
          ],
        },
  }))
}

/** Traefik, which k3s brings along: it has 80 and 443 of each node. */
const TRAEFIK: KubeObject[] = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'traefik', namespace: 'kube-system', labels: { 'app.kubernetes.io/name': 'traefik' } },
    spec: {
      type: 'LoadBalancer',
      clusterIP: '10.43.3.3',
      selector: { 'app.kubernetes.io/name': 'traefik' },
      ports: [
        { name: 'web', port: 80, targetPort: 'web', nodePort: 31080, protocol: 'TCP' },
        { name: 'websecure', port: 443, targetPort: 'websecure', nodePort: 31444, protocol: 'TCP' },
      ],
    },
    status: { loadBalancer: { ingress: ADDRESSES } },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'traefik-1', namespace: 'kube-system', labels: { 'app.kubernetes.io/name': 'traefik' } },
    spec: { containers: [{ name: 'traefik', args: ['--entryPoints.websecure.address=:8443/tcp'] }] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  },
  ...svclb('kube-system', 'traefik', [80, 443]),
]

const GATEWAY = 'istio-ingressgateway'

/** The gateway's Service with other ports. */
function at(ports: object[], ingress: object[]): KubeObject[] {
  return ingressGateway('istio-system', GATEWAY, ingress).map((one) =>
    one.kind === 'Service' ? { ...one, spec: { ...(one.spec as object), ports } } : one,
  )
}

describe('a gateway behind k3s’ ServiceLB', () => {
  const cases: [string, KubeObject[], string][] = [
    [
      'is at the first node, at the port of its Service',
      [...ingressGateway('istio-system', GATEWAY, ADDRESSES), ...svclb('istio-system', GATEWAY, [15021, 80, 443])],
      'https://grafana.192.168.1.10.nip.io/',
    ],
    [
      'beside Traefik, which has port 443 of all nodes: its own pods wait, so it is at a node port',
      [
        ...ingressGateway('istio-system', GATEWAY, []),
        ...svclb('istio-system', GATEWAY, [15021, 80, 443], false),
        ...TRAEFIK,
      ],
      'https://grafana.192.168.1.11.nip.io:31443/',
    ],
    [
      'beside Traefik at a port of its own',
      [
        ...at([{ name: 'https', port: 8443, targetPort: 8443, nodePort: 31443 }], ADDRESSES),
        ...svclb('istio-system', GATEWAY, [8443]),
        ...TRAEFIK,
      ],
      'https://grafana.192.168.1.10.nip.io:8443/',
    ],
  ]
  for (const [what, objects, url] of cases)
    it(what, async () => {
      const one = world([...grafana(), ...objects, ...NODES])
      const { result } = await expose(request, one)
      assert.ok(succeeded(result), JSON.stringify(result.warnings))
      assert.equal(result.exposures[0]?.url, url)
      assert.deepEqual(
        one.cluster.writes.filter(({ object }) => !object.includes('/kubectl-telemetry')),
        [],
      )
      const { addons } = await status({ expiresIn: 0 }, one)
      assert.equal(addons.find(({ name }) => name === 'grafana')?.exposure?.url, url)
    })
})
