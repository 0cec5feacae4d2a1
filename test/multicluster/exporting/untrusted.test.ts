/** What tenants of a cluster write, to let the person who cleans up or exports do something for them. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import { findExports } from '../../../src/multicluster/exporting/find.ts'
import { cleaning, connected, exporting, exportWorld, httpbin, objectsOf, sleep } from './export-world.ts'

const LABELS = { 'app.kubernetes.io/managed-by': 'kubectl-telemetry', 'kubectl-telemetry/part': 'multicluster' }

function claimed(kind: string, namespace: string, name: string, spec: object): KubeObject {
  return { apiVersion: 'networking.istio.io/v1', kind, metadata: { name, namespace, labels: LABELS }, spec }
}

const ENTRY = {
  hosts: ['x.y.global'],
  addresses: ['240.0.0.9'],
  location: 'MESH_INTERNAL',
  resolution: 'STATIC',
  ports: [{ number: 80, name: 'http-80', protocol: 'HTTP' }],
  endpoints: [{ address: '192.0.2.66', ports: { 'http-80': 15443 }, labels: { cluster: 'west' } }],
}
const SERVERS = (mode: string, hosts: string[]) => [
  { hosts, port: { number: 15443, name: 'tls', protocol: 'TLS' }, tls: { mode } },
]

const PLANTED: [string, KubeObject][] = [
  ['an entry of a tenant for the whole mesh', claimed('ServiceEntry', 'tenant', 'kubectl-telemetry-x.y.global', ENTRY)],
  ['an entry with another name', claimed('ServiceEntry', 'istio-system', 'mine', ENTRY)],
  [
    'an entry with more hosts',
    claimed('ServiceEntry', 'istio-system', 'kubectl-telemetry-x.y.global', { ...ENTRY, hosts: ['x.y.global', 'z'] }),
  ],
  [
    'an entry with a selector',
    claimed('ServiceEntry', 'istio-system', 'kubectl-telemetry-x.y.global', {
      ...ENTRY,
      workloadSelector: { labels: {} },
    }),
  ],
  [
    'our Gateway in a namespace of a tenant',
    claimed('Gateway', 'tenant', 'kubectl-telemetry-multicluster', {
      selector: {},
      servers: SERVERS('AUTO_PASSTHROUGH', ['a.b.svc.cluster.local']),
    }),
  ],
  [
    'our Gateway with a wildcard',
    claimed('Gateway', 'istio-system', 'kubectl-telemetry-multicluster', {
      selector: {},
      servers: SERVERS('AUTO_PASSTHROUGH', ['*.local']),
    }),
  ],
  [
    'a rule of a tenant for the whole mesh',
    claimed('DestinationRule', 'tenant', 'kubectl-telemetry-x.y.global', { host: 'x.y.global', trafficPolicy: {} }),
  ],
  [
    'a rule with the subsets of a Service elsewhere',
    claimed('DestinationRule', 'tenant', 'kubectl-telemetry-export-a.b', {
      host: 'a.b.svc.cluster.local',
      exportTo: ['.'],
      subsets: [],
    }),
  ],
  [
    'a route for HTTP',
    claimed('VirtualService', 'tenant', 'kubectl-telemetry-egress-x.y.global', {
      hosts: ['*'],
      gateways: ['kubectl-telemetry-egress-x.y.global'],
      http: [],
    }),
  ],
  [
    'a record of a ConfigMap that CoreDNS does not read',
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: 'app',
        namespace: 'kube-system',
        labels: { 'kubectl-telemetry/multicluster': 'true' },
        annotations: {
          'kubectl-telemetry/before-multicluster': JSON.stringify({
            fields: [{ path: ['data', 'x'], existed: 2, before: { value: 'evil' }, after: 'y' }],
            managedFields: [],
          }),
        },
      },
      data: { x: 'y' },
    },
  ],
]

describe('what tenants write about exports', () => {
  for (const [title, planted] of PLANTED)
    it(`is not believed by its labels: ${title}`, async () => {
      const world = exportWorld(undefined, connected('east', '192.0.2.20', [...sleep(), structuredClone(planted)]))
      const { problems } = await cleaning(world)
      assert.deepEqual(
        problems.map(({ code }) => code),
        ['OBJECT_NOT_TRUSTED'],
      )
      assert.deepEqual(world.east.writes, [])
      const { called } = await findExports({ name: 'east', cluster: world.east })
      assert.deepEqual(called, [])
    })

  it('does not remove names of others from CoreDNS: a claimed entry is not asked for them', async () => {
    const world = exportWorld()
    await exporting(world)
    const forged = claimed('ServiceEntry', 'tenant', 'kubectl-telemetry-httpbin.bar.global', {
      ...ENTRY,
      hosts: ['httpbin.bar.global'],
      exportTo: ['.'],
    })
    world.east.objects.push(forged)
    const { called } = await findExports({ name: 'east', cluster: world.east })
    assert.deepEqual(
      called.map(({ entry }) => entry.namespace),
      ['istio-system'],
    )
  })

  it('reads a service from its objects as it was written', async () => {
    const world = exportWorld(
      connected('west', '192.0.2.10', httpbin()),
      connected('east', '192.0.2.20', [...sleep(), ...httpbin()]),
    )
    await exporting(world, { subsets: 'version', in: ['west', 'east'], to: ['east'], into: 'foo' })
    const { called } = await findExports({ name: 'east', cluster: world.east })
    assert.deepEqual(called, [
      {
        host: 'httpbin.bar.global',
        service: { name: 'httpbin', namespace: 'bar' },
        ports: [
          {
            number: 8000,
            name: 'http-8000',
            protocol: 'HTTP',
            sni: 'outbound_.8000_._.httpbin.bar.svc.cluster.local',
          },
          { number: 9000, name: 'tcp-9000', protocol: 'TCP', sni: 'outbound_.9000_._.httpbin.bar.svc.cluster.local' },
        ],
        address: '240.0.0.2',
        to: 'east',
        from: [
          { cluster: 'west', address: '192.0.2.10', port: 15443 },
          { cluster: 'east', address: '10.90.0.7', port: 15443 },
        ],
        into: 'foo',
        identities: ['spiffe://east.example/ns/bar/sa/httpbin', 'spiffe://west.example/ns/bar/sa/httpbin'],
        subsets: [
          { name: 'v1', labels: {} },
          { name: 'west', labels: { cluster: 'west' } },
          { name: 'east', labels: { cluster: 'east' } },
        ],
        dns: 'coredns',
        entry: { name: 'kubectl-telemetry-httpbin.bar.global', namespace: 'foo' },
      },
    ])
  })

  it('does not shrink the Gateway of others', async () => {
    const world = exportWorld()
    await exporting(world)
    await cleaning(world, 'secret.bar.global')
    assert.equal(objectsOf(world.west, 'Gateway').length, 1)
  })
})
