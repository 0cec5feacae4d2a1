import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { type CleanupRequest, cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import { request as exposing, ours, world } from '../exposing/exposing.ts'
import { grafana, ingressGateway } from '../fakes/mesh.ts'

const ADDONS = ['grafana', 'kiali', 'prometheus', 'tracing']
const EVERYTHING = [
  ...ADDONS.map((addon) => `Gateway/${addon}-gateway`),
  ...ADDONS.map((addon) => `VirtualService/${addon}-vs`),
  ...ADDONS.map((addon) => `DestinationRule/${addon}`),
  'Secret/telemetry-gw-cert',
]

function object(kind: string, name: string, spec: object, namespace = 'istio-system'): KubeObject {
  return { apiVersion: kind === 'Secret' ? 'v1' : 'networking.istio.io/v1', kind, metadata: { name, namespace }, spec }
}

/** What people make after https://istio.io/latest/docs/tasks/observability/gateways/ @param port the name of the server's port */
function documented(namespace = 'istio-system', port = (addon: string) => `https-${addon}`): KubeObject[] {
  const perAddon = ADDONS.flatMap((addon) => [
    object(
      'Gateway',
      `${addon}-gateway`,
      { servers: [{ port: { number: 443, name: port(addon) }, hosts: ['*'] }] },
      namespace,
    ),
    object('VirtualService', `${addon}-vs`, { gateways: [`${addon}-gateway`] }, namespace),
    object('DestinationRule', addon, { host: addon, trafficPolicy: { tls: { mode: 'DISABLE' } } }, namespace),
  ])
  return [object('Secret', 'telemetry-gw-cert', {}, namespace), ...perAddon]
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

describe('cleanup of the set-up that Istio documents', () => {
  it('removes what the page makes, what serves first', async () => {
    const one = world(documented())
    const result = await cleanup(request, one)
    assert.deepEqual(names(result.deleted), EVERYTHING)
    assert.deepEqual([result.remaining, one.cluster.objects], [[], []])
  })

  it("removes what the page's own clean-up leaves behind", async () => {
    const left = documented().filter(({ kind }) => kind === 'DestinationRule' || kind === 'Secret')
    assert.deepEqual(await removed(left), EVERYTHING.slice(8))
  })

  it('knows the ports of the page without TLS, and their short names', async () => {
    const http = documented('istio-system', (addon) => `http-${addon === 'prometheus' ? 'prom' : addon}`)
    assert.deepEqual(await removed(http), EVERYTHING)
  })

  it('leaves it all alone when it was not asked for', async () => {
    assert.deepEqual(await removed(documented(), { documentedSetup: undefined }), [])
  })

  it('looks in the named namespace alone', async () => {
    assert.deepEqual(await removed(documented('mesh')), [])
    assert.deepEqual(await removed(documented('mesh'), { documentedSetup: 'mesh' }), EVERYTHING)
  })

  it('only shows it in a dry run', async () => {
    const one = world(documented())
    assert.deepEqual(names((await cleanup({ ...request, dryRun: 'server' }, one)).deleted), EVERYTHING)
    assert.deepEqual(one.cluster.writes, [])
  })

  it('removes it together with what is ours', async () => {
    const one = world([...grafana(), ...ingressGateway()])
    await expose(exposing, one)
    one.cluster.objects.push(...documented())
    await cleanup(request, one)
    assert.deepEqual(ours(one.cluster), [])
    assert.deepEqual(
      one.cluster.objects.filter(({ kind }) => !['Service', 'Pod'].includes(kind)),
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
      'a Gateway that serves something else too',
      object('Gateway', 'grafana-gateway', {
        servers: [{ port: { name: 'https-grafana' } }, { port: { name: 'https-shop' } }],
      }),
    ],
    [
      'a Gateway of that name for something else',
      object('Gateway', 'kiali-gateway', { servers: [{ port: { name: 'https-shop' } }] }),
    ],
    ['a Gateway without servers', object('Gateway', 'kiali-gateway', {})],
    ['a VirtualService at another Gateway', object('VirtualService', 'grafana-vs', { gateways: ['public'] })],
    [
      'a VirtualService at several Gateways',
      object('VirtualService', 'grafana-vs', { gateways: ['grafana-gateway', 'mesh'] }),
    ],
    ['a VirtualService inside the mesh', object('VirtualService', 'kiali-vs', {})],
    ['an object of another name', object('DestinationRule', 'jaeger', { host: 'jaeger', trafficPolicy: tls })],
  ]
  for (const [name, other] of others) {
    it(`leaves ${name} alone`, async () => assert.deepEqual(await removed([other]), []))
  }

  it('knows a DestinationRule by the full name of its host', async () => {
    const rule = object('DestinationRule', 'kiali', {
      host: 'kiali.istio-system.svc.cluster.local',
      trafficPolicy: tls,
    })
    assert.deepEqual(await removed([rule]), ['DestinationRule/kiali'])
  })
})
