import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import { UserError } from '../../../src/errors.ts'
import type { ExportRequest } from '../../../src/multicluster/exporting/request.ts'
import { service } from '../../fakes/mesh.ts'
import { COREFILE, configMap, connected, exporting, exportWorld, httpbin, PORTS, sleep } from './export-world.ts'

type Change = (objects: KubeObject[]) => KubeObject[]

const without =
  (kind: string, name: string): Change =>
  (objects) =>
    objects.filter((one) => one.kind !== kind || one.metadata.name !== name)
const plus =
  (...more: KubeObject[]): Change =>
  (objects) => [...objects, ...more]
const changed =
  (kind: string, name: string, fields: (object: KubeObject) => object): Change =>
  (objects) =>
    objects.map((one) => (one.kind === kind && one.metadata.name === name ? { ...one, ...fields(one) } : one))

function entry(namespace: string, spec: object, name = 'theirs'): KubeObject {
  return { apiVersion: 'networking.istio.io/v1', kind: 'ServiceEntry', metadata: { name, namespace }, spec }
}

const corefile = (text: string) => changed('ConfigMap', 'coredns', () => ({ data: { Corefile: text } }))

const CASES: {
  title: string
  west?: Change
  east?: Change
  request?: Partial<ExportRequest>
  code: string
  says: RegExp
}[] = [
  {
    title: 'a cluster that is none of the run',
    request: { in: ['north'] },
    code: 'CLUSTER_UNKNOWN',
    says: /--in north: no cluster of --context has this name; there are: west, east/,
  },
  { title: 'the same for callers', request: { to: ['north'] }, code: 'CLUSTER_UNKNOWN', says: /--to north/ },
  {
    title: 'a cluster that is not connected',
    east: without('ConfigMap', 'kubectl-telemetry-multicluster'),
    code: 'CLUSTER_NOT_CONNECTED',
    says: /cluster east is not connected/,
  },
  {
    title: 'a Service that does not exist',
    west: without('Service', 'httpbin'),
    code: 'SERVICE_MISSING',
    says: /cluster west has no Service bar\/httpbin/,
  },
  {
    title: 'a Service with UDP only',
    west: changed('Service', 'httpbin', ({ spec }) => ({
      spec: { ...(spec as object), ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] },
    })),
    code: 'EXPORT_NO_TCP_PORT',
    says: /no TCP port/,
  },
  {
    title: 'a Service without pods',
    west: (objects) => objects.filter(({ kind, metadata }) => kind !== 'Pod' || metadata.namespace !== 'bar'),
    code: 'EXPORT_WITHOUT_PODS',
    says: /has no pods/,
  },
  {
    title: 'pods without a sidecar',
    west: (objects) => [...objects.filter(({ metadata }) => metadata.namespace !== 'bar'), ...httpbin(PORTS, 'none')],
    code: 'NOT_IN_MESH',
    says: /have no sidecar/,
  },
  {
    title: 'ambient pods',
    west: (objects) =>
      [...objects.filter(({ metadata }) => metadata.namespace !== 'bar'), ...httpbin(PORTS, 'none')].map((one) =>
        one.kind === 'Pod' && one.metadata.namespace === 'bar'
          ? {
              ...one,
              metadata: { ...one.metadata, annotations: { 'ambient.istio.io/redirection': 'enabled' } },
            }
          : one,
      ),
    code: 'NOT_IN_MESH',
    says: /are in the ambient mesh/,
  },
  {
    title: 'a Service that its annotation hides',
    west: changed('Service', 'httpbin', ({ metadata }) => ({
      metadata: { ...metadata, annotations: { 'networking.istio.io/exportTo': '.' } },
    })),
    code: 'SERVICE_HIDDEN',
    says: /its annotation networking.istio.io\/exportTo/,
  },
  {
    title: 'a namespace that istiod does not see',
    west: changed('ConfigMap', 'istio', () => ({
      data: { mesh: 'discoverySelectors:\n- matchLabels: {mesh: "yes"}\n' },
    })),
    code: 'SERVICE_HIDDEN',
    says: /discoverySelectors/,
  },
  {
    title: 'a label that no pod has',
    request: { subsets: 'flavour' },
    code: 'SUBSET_UNKNOWN',
    says: /no pod in cluster west has the label flavour/,
  },
  {
    title: 'a host that another entry of the mesh has',
    east: plus(entry('shop', { hosts: ['httpbin.bar.global'] })),
    code: 'EXPORT_HOST_TAKEN',
    says: /ServiceEntry shop\/theirs of cluster east/,
  },
  {
    title: 'an address that another entry has',
    east: plus(entry('shop', { hosts: ['a.b'], addresses: ['240.0.0.0/24'] })),
    request: { address: '240.0.0.9' },
    code: 'EXPORT_ADDRESS_TAKEN',
    says: /another ServiceEntry has it/,
  },
  {
    title: 'an address in the range of pods',
    east: plus({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' }, spec: { podCIDRs: ['10.89.0.0/16'] } }),
    request: { address: '10.89.3.4' },
    code: 'EXPORT_ADDRESS_TAKEN',
    says: /range of pods/,
  },
  {
    title: 'an address in the range of Services',
    east: plus({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name: 'kubernetes' },
      spec: { cidrs: ['10.90.0.0/16'] },
    }),
    request: { address: '10.90.3.4' },
    code: 'EXPORT_ADDRESS_TAKEN',
    says: /range of Services/,
  },
  {
    title: 'all addresses taken',
    east: plus(entry('shop', { hosts: ['a.b'], addresses: ['240.0.0.0/16'] })),
    code: 'EXPORT_ADDRESSES_USED_UP',
    says: /each address of 240.0.0.0\/16/,
  },
  {
    title: 'a block of CoreDNS for the domain',
    east: corefile(`${COREFILE}global:53 {\n    errors\n    forward . 10.0.0.9\n}\n`),
    code: 'DNS_ZONE_TAKEN',
    says: /a block for global already/,
  },
  {
    title: 'a Corefile with open braces',
    east: corefile('.:53 {\n    errors\n'),
    code: 'COREDNS_UNREADABLE',
    says: /braces that do not match/,
  },
  {
    title: 'no CoreDNS',
    east: without('ConfigMap', 'coredns'),
    code: 'COREDNS_NOT_FOUND',
    says: /no ConfigMap kube-system\/coredns/,
  },
  {
    title: 'a Corefile that an operator resets',
    east: changed('ConfigMap', 'coredns', ({ metadata }) => ({
      metadata: { ...metadata, labels: { 'addonmanager.kubernetes.io/mode': 'Reconcile' } },
    })),
    code: 'COREDNS_MANAGED',
    says: /would reset it at once/,
  },
  {
    title: 'an egress gateway that does not exist',
    request: { via: { namespace: 'istio-system', name: 'nothing' } },
    code: 'EGRESS_UNUSABLE',
    says: /there is no such Service/,
  },
  {
    title: 'an egress gateway without a gateway behind it',
    east: plus(service('foo', 'web', {}, { selector: { app: 'sleep' }, ports: [{ port: 443 }] })),
    request: { via: { namespace: 'foo', name: 'web' } },
    code: 'EGRESS_UNUSABLE',
    says: /no gateway of Istio/,
  },
  {
    title: 'a gateway without an address',
    west: changed('Service', 'istio-ingressgateway', ({ spec }) => ({
      spec: { ...(spec as object), type: 'ClusterIP', ports: [{ name: 'x', port: 15443 }] },
      status: {},
    })),
    code: 'EXPORT_WITHOUT_ADDRESS',
    says: /no address by which other clusters reach its port 15443/,
  },
  {
    title: 'a gateway that is gone',
    west: without('Service', 'istio-ingressgateway'),
    code: 'EXPORT_GATEWAY_GONE',
    says: /does not exist any more/,
  },
  {
    title: 'objects of others with our names',
    east: plus(entry('istio-system', { hosts: ['other.example'] }, 'kubectl-telemetry-httpbin.bar.global')),
    code: 'NOT_OURS',
    says: /created by something other than kubectl telemetry/,
  },
]

const same: Change = (objects) => objects

describe('multicluster export refuses, and writes nothing', () => {
  for (const { title, west = same, east = same, request = {}, code, says } of CASES)
    it(title, async () => {
      const world = exportWorld(
        west(connected('west', '192.0.2.10', httpbin())),
        east(connected('east', '192.0.2.20', sleep())),
      )
      await assert.rejects(exporting(world, request), (error: unknown) => {
        assert.ok(error instanceof UserError, String(error))
        assert.equal(error.code, code, error.message)
        assert.match(error.message, says)
        return true
      })
      assert.deepEqual([...world.west.writes, ...world.east.writes], [])
    })

  it('two serving clusters with other ports', async () => {
    const world = exportWorld(undefined, connected('east', '192.0.2.20', httpbin([{ name: 'http', port: 80 }])))
    await assert.rejects(exporting(world, { in: ['west', 'east'] }), { code: 'EXPORT_DIFFERS' })
  })

  it('the host of another exported service', async () => {
    const other = httpbin().map((one) => ({ ...one, metadata: { ...one.metadata, namespace: 'foo' } }))
    const world = exportWorld(connected('west', '192.0.2.10', [...httpbin(), ...other]))
    await exporting(world, { host: 'web.example' })
    await assert.rejects(exporting(world, { host: 'web.example', service: { name: 'httpbin', namespace: 'foo' } }), {
      code: 'EXPORT_HOST_TAKEN',
    })
  })
})

describe('multicluster export does without', () => {
  it('a Gateway where somebody passes all services on already: two would make Envoy refuse the listener', async () => {
    const theirs: KubeObject = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: { name: 'cross-network-gateway', namespace: 'istio-system' },
      spec: {
        selector: { istio: 'ingressgateway' },
        servers: [
          {
            port: { number: 15443, name: 'tls', protocol: 'TLS' },
            tls: { mode: 'AUTO_PASSTHROUGH' },
            hosts: ['*.local'],
          },
        ],
      },
    }
    const world = exportWorld(connected('west', '192.0.2.10', [...httpbin(), theirs]))
    await exporting(world)
    assert.deepEqual(world.west.writes, [])
    const elsewhere = { ...theirs, spec: { ...(theirs.spec as object), selector: { istio: 'eastwestgateway' } } }
    const apart = exportWorld(connected('west', '192.0.2.10', [...httpbin(), elsewhere]))
    await exporting(apart)
    assert.equal(apart.west.writes.length, 1)
  })

  it('CoreDNS where the sidecars of callers answer names', async () => {
    const capturing = sleep().map((one) => {
      if (one.kind !== 'Pod') return one
      const text = JSON.stringify(one.spec).replaceAll(
        '"name":"istio-proxy"',
        '"name":"istio-proxy","env":[{"name":"ISTIO_META_DNS_CAPTURE","value":"true"}]',
      )
      return { ...one, spec: JSON.parse(text) as object }
    })
    const world = exportWorld(undefined, connected('east', '192.0.2.20', capturing))
    const { result } = await exporting(world)
    assert.equal(result.services[0]?.dns, 'proxy')
    assert.deepEqual(
      world.east.writes.map(({ object }) => object.split('/')[0]),
      ['DestinationRule', 'ServiceEntry'],
    )
  })

  it('a change of the Corefile on AKS: it has a ConfigMap for users', async () => {
    const east = corefile(`${COREFILE}import custom/*.server\n`)(
      connected('east', '192.0.2.20', [
        ...sleep(),
        configMap('kube-system', 'coredns-custom', { 'a.server': 'shop:53 {\n}\n' }),
      ]),
    )
    const world = exportWorld(undefined, east)
    const before = JSON.stringify(world.east.objects.find(({ metadata }) => metadata.name === 'coredns')?.data)
    const { result } = await exporting(world).catch(() => ({ result: undefined }))
    assert.ok(result)
    assert.equal(JSON.stringify(world.east.objects.find(({ metadata }) => metadata.name === 'coredns')?.data), before)
    const custom = world.east.objects.find(({ metadata }) => metadata.name === 'coredns-custom')?.data
    assert.deepEqual(Object.keys(custom as object), ['a.server', 'kubectl-telemetry.server'])
  })
})
