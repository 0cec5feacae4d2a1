import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { type CleanupRequest, cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import { createdObjects, request as exposing, world } from '../exposing/exposing.ts'
import { grafana, ingressGateway } from '../fakes/mesh.ts'

const ADDONS = ['grafana', 'kiali', 'prometheus', 'tracing']
const EVERYTHING = [
  ...ADDONS.map((addon) => `Gateway/${addon}-gateway`),
  ...ADDONS.map((addon) => `VirtualService/${addon}-vs`),
  ...ADDONS.map((addon) => `DestinationRule/${addon}`),
  'Secret/telemetry-gw-cert',
]

function object(kind: string, name: string, spec: object, namespace = 'istio-system'): KubeObject {
  return { apiVersion: 'networking.istio.io/v1', kind, metadata: { name, namespace }, spec }
}

const SECRET: KubeObject = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'telemetry-gw-cert', namespace: 'istio-system' },
  type: 'kubernetes.io/tls',
  data: { 'tls.crt': 'eA==', 'tls.key': 'eA==' },
}
const PORTS: Record<string, number> = { grafana: 3000, kiali: 20001, prometheus: 9090, tracing: 80 }
const TLS = { mode: 'SIMPLE', credentialName: 'telemetry-gw-cert' }
const selector = { istio: 'ingressgateway' }

function server(addon: string, name: string, more: object = { tls: TLS }) {
  const secure = name.startsWith('https')
  const port = { number: secure ? 443 : 80, name, protocol: secure ? 'HTTPS' : 'HTTP' }
  return { port, hosts: [`${addon}.example.com`], ...(secure ? more : {}) }
}

const route = (addon: string, more: object = {}) => ({
  hosts: [`${addon}.example.com`],
  gateways: [`${addon}-gateway`],
  http: [{ route: [{ destination: { host: addon, port: { number: PORTS[addon] } } }] }],
  ...more,
})

/** The objects that users create from https://istio.io/latest/docs/tasks/observability/gateways/ @param port the name of the server's port */
function documented(namespace = 'istio-system', port = (addon: string) => `https-${addon}`): KubeObject[] {
  const perAddon = ADDONS.flatMap((addon) => [
    object('Gateway', `${addon}-gateway`, { selector, servers: [server(addon, port(addon))] }, namespace),
    object('VirtualService', `${addon}-vs`, route(addon), namespace),
    object('DestinationRule', addon, { host: addon, trafficPolicy: { tls: { mode: 'DISABLE' } } }, namespace),
  ])
  return [{ ...SECRET, metadata: { ...SECRET.metadata, namespace } }, ...perAddon]
}

const request: CleanupRequest = {
  addons: requireAddons([]),
  documentedSetup: 'istio-system',
  yes: true,
  dryRun: 'none',
}
const names = (objects: { kind: string; name: string }[]) => objects.map(({ kind, name }) => `${kind}/${name}`)
const removed = async (objects: KubeObject[], changes: Partial<CleanupRequest> = {}) =>
  names((await cleanup({ ...request, ...changes }, world(objects))).deleted)

describe('cleanup --documented-setup', () => {
  it('removes the objects of the page, those that serve first', async () => {
    const one = world(documented())
    const result = await cleanup(request, one)
    assert.deepEqual(names(result.deleted), EVERYTHING)
    assert.deepEqual([result.remaining, one.cluster.objects], [[], []])
  })

  it("removes what the page's own clean-up leaves", async () => {
    const left = documented().filter(({ kind }) => kind === 'DestinationRule' || kind === 'Secret')
    assert.deepEqual(await removed(left), EVERYTHING.slice(8))
  })

  it('recognizes the ports of the page without TLS, and their short names', async () => {
    const http = documented('istio-system', (addon) => `http-${addon === 'prometheus' ? 'prom' : addon}`)
    assert.deepEqual(await removed(http), EVERYTHING)
  })

  it('leaves all of them unchanged without the flag', async () => {
    assert.deepEqual(await removed(documented(), { documentedSetup: undefined }), [])
  })

  it('searches only the named namespace', async () => {
    assert.deepEqual(await removed(documented('mesh')), [])
    assert.deepEqual(await removed(documented('mesh'), { documentedSetup: 'mesh' }), EVERYTHING)
  })

  it('writes nothing in a dry run', async () => {
    const one = world(documented())
    assert.deepEqual(names((await cleanup({ ...request, dryRun: 'server' }, one)).deleted), EVERYTHING)
    assert.deepEqual(one.cluster.writes, [])
  })

  it('removes them together with created objects', async () => {
    const one = world([...grafana(), ...ingressGateway()])
    await expose(exposing, one)
    one.cluster.objects.push(...documented())
    await cleanup(request, one)
    assert.deepEqual(createdObjects(one.cluster), [])
    assert.deepEqual(
      one.cluster.objects.filter(({ kind }) => !['Service', 'Pod', 'ConfigMap'].includes(kind)),
      [],
    )
  })

  const tls = { tls: { mode: 'DISABLE' } }
  const others: [string, KubeObject][] = [
    [
      'a DestinationRule that does more',
      object('DestinationRule', 'grafana', { host: 'grafana', trafficPolicy: { ...tls, loadBalancer: {} } }),
    ],
    [
      'a DestinationRule with subsets',
      object('DestinationRule', 'grafana', { host: 'grafana', trafficPolicy: tls, subsets: [] }),
    ],
    [
      'a DestinationRule for mutual TLS',
      object('DestinationRule', 'kiali', { host: 'kiali', trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } }),
    ],
    ['a DestinationRule for another host', object('DestinationRule', 'kiali', { host: 'kiali2', trafficPolicy: tls })],
    ['a DestinationRule without a policy', object('DestinationRule', 'tracing', { host: 'tracing' })],
    [
      'a DestinationRule for a host outside',
      object('DestinationRule', 'kiali', { host: 'kiali.io', trafficPolicy: tls }),
    ],
    [
      'a Gateway that serves something else too',
      object('Gateway', 'grafana-gateway', {
        selector,
        servers: [server('grafana', 'https-grafana'), server('grafana', 'https-shop')],
      }),
    ],
    [
      'a Gateway of that name for something else',
      object('Gateway', 'kiali-gateway', { selector, servers: [server('kiali', 'https-shop')] }),
    ],
    [
      'a Gateway with another certificate',
      object('Gateway', 'kiali-gateway', {
        selector,
        servers: [server('kiali', 'https-kiali', { tls: { mode: 'SIMPLE', credentialName: 'mine' } })],
      }),
    ],
    [
      'a Gateway with another host',
      object('Gateway', 'kiali-gateway', { selector, servers: [server('shop', 'https-kiali')] }),
    ],
    [
      'a Gateway for other pods',
      object('Gateway', 'kiali-gateway', { selector: { app: 'x' }, servers: [server('kiali', 'https-kiali')] }),
    ],
    ['a Gateway without servers', object('Gateway', 'kiali-gateway', {})],
    [
      'a VirtualService at another Gateway',
      object('VirtualService', 'grafana-vs', route('grafana', { gateways: ['a'] })),
    ],
    [
      'a VirtualService at several Gateways',
      object('VirtualService', 'grafana-vs', route('grafana', { gateways: ['grafana-gateway', 'mesh'] })),
    ],
    ['a VirtualService inside the mesh', object('VirtualService', 'kiali-vs', {})],
    [
      'a VirtualService to something else',
      object('VirtualService', 'grafana-vs', {
        ...route('grafana'),
        http: [{ route: [{ destination: { host: 'mine', port: { number: 3000 } } }] }],
      }),
    ],
    [
      'a VirtualService with more routes',
      object('VirtualService', 'grafana-vs', { ...route('grafana'), http: [...route('grafana').http, {}] }),
    ],
    [
      'a VirtualService with a timeout',
      object('VirtualService', 'grafana-vs', {
        ...route('grafana'),
        http: [{ ...route('grafana').http[0], timeout: '5s' }],
      }),
    ],
    [
      'a VirtualService for another host',
      object('VirtualService', 'grafana-vs', route('grafana', { hosts: ['shop.x'] })),
    ],
    ['a Secret of another type', { ...SECRET, type: 'Opaque' }],
    ['a Secret with more in it', { ...SECRET, data: { 'tls.crt': 'eA==', 'tls.key': 'eA==', 'ca.crt': 'eA==' } }],
    [
      'a Secret of cert-manager',
      { ...SECRET, metadata: { ...SECRET.metadata, annotations: { 'cert-manager.io/certificate-name': 'x' } } },
    ],
    ['an object of another name', object('DestinationRule', 'jaeger', { host: 'jaeger', trafficPolicy: tls })],
  ]
  for (const [name, other] of others) {
    it(`leaves ${name} unchanged`, async () => assert.deepEqual(await removed([other]), []))
  }

  it('reports what has a name of the page but other content', async () => {
    const { warnings } = await cleanup(request, world([{ ...SECRET, type: 'Opaque' }]))
    assert.deepEqual(
      warnings.map(({ code, severity }) => [code, severity]),
      [['NOT_THE_PAGES', 'notes']],
    )
  })

  const gateway = (credential: object, namespace: string) =>
    object('Gateway', 'shop', { selector, servers: [server('shop', 'https-shop', { tls: credential })] }, namespace)
  const users: [string, KubeObject][] = [
    ['a Gateway beside it', gateway(TLS, 'istio-system')],
    ['a Gateway of another namespace', gateway(TLS, 'shop')],
    [
      'a Gateway that names it by a path',
      gateway({ credentialName: 'kubernetes://istio-system/telemetry-gw-cert' }, 'shop'),
    ],
    ['one of several names', gateway({ credentialNames: ['other', 'telemetry-gw-cert'] }, 'shop')],
    [
      'an Ingress',
      {
        ...object('Ingress', 'shop', { tls: [{ hosts: ['shop.example.com'], secretName: 'telemetry-gw-cert' }] }),
        apiVersion: 'networking.k8s.io/v1',
      },
    ],
    [
      'a Gateway of the Gateway API',
      object('Gateway', 'shop', { listeners: [{ tls: { certificateRefs: [{ name: 'telemetry-gw-cert' }] } }] }),
    ],
  ]
  for (const [name, user] of users)
    it(`keeps the Secret that ${name} uses, and removes the rest`, async () => {
      const result = await cleanup(request, world([...documented(), user]))
      assert.deepEqual(names(result.deleted), EVERYTHING.slice(0, -1))
      assert.deepEqual([result.remaining, result.warnings.map(({ code }) => code)], [[], ['NOT_THE_PAGES']])
      assert.match(
        result.warnings[0]?.message ?? '',
        /^Secret istio-system\/telemetry-gw-cert was left unchanged: .* uses it$/,
      )
    })

  it('recognizes a DestinationRule by the full name of its host', async () => {
    const rule = object('DestinationRule', 'kiali', {
      host: 'kiali.istio-system.svc.cluster.local',
      trafficPolicy: tls,
    })
    assert.deepEqual(await removed([rule]), ['DestinationRule/kiali'])
  })
})
