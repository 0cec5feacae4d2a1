/** Providers in a shared ConfigMap: Azure/AKS#3791, kiali/kiali#8248. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { Pod } from '../../src/cluster/objects.ts'
import { UserError } from '../../src/errors.ts'
import { authorizers, discoverySelectors, drainTime, trustedProxies } from '../../src/gateways/mesh.ts'
import { readMeshConfig } from '../../src/gateways/mesh-config.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'

const AKS = 'aks-istio-system'

/** The istiod of AKS reads `istio-asm-1-29`, over the ConfigMap that users may write. */
function istiod(revision = 'asm-1-29', shared = `istio-shared-configmap-${revision}`): KubeObject {
  const env = shared === '' ? [] : [{ name: 'SHARED_MESH_CONFIG', value: shared }]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `istiod-${revision}`, namespace: AKS, labels: { app: 'istiod', 'istio.io/rev': revision } },
    spec: { containers: [{ name: 'discovery', env }] },
  }
}

function configMap(name: string, mesh: string): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: AKS }, data: { mesh } }
}

const env = [{ name: 'CA_ADDR', value: `istiod-asm-1-29.${AKS}.svc:15012` }]
const POD: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'gateway', namespace: 'aks-istio-ingress', creationTimestamp: '2026-11-29T11:00:00Z' },
  spec: { containers: [{ name: 'istio-proxy', env }] },
}
const GATEWAY = { pods: [POD], namespace: 'aks-istio-ingress' }

const OWN =
  'extensionProviders: [{name: both, envoyExtAuthzHttp: {failOpen: true}}]\ndefaultConfig: {drainDuration: 5s}'
const SHARED = `
extension_providers:
- {name: theirs, envoy_ext_authz_grpc: {fail_open: true}}
- {name: both, envoyExtAuthzHttp: {}}
default_config: {gateway_topology: {num_trusted_proxies: "2"}, drainDuration: 90s}`

const read = (...objects: KubeObject[]) => readMeshConfig(GATEWAY, new FakeCluster(objects))
const own = configMap('istio-asm-1-29', OWN)
const shared = configMap('istio-shared-configmap-asm-1-29', SHARED)

describe('the mesh configuration in two ConfigMaps', () => {
  it('has the providers of both, and the own one wins over the shared one', async () => {
    assert.deepEqual(authorizers(await read(istiod(), own, shared)), [
      { name: 'theirs', failOpen: true, sends: ['*'] },
      { name: 'both', failOpen: true, sends: [] },
    ])
  })

  it('has the fields of both configurations of proxies, also in the spelling of protobuf', async () => {
    const mesh = await read(istiod(), own, shared)
    assert.equal(trustedProxies(GATEWAY as Parameters<typeof trustedProxies>[0], mesh), 2)
    assert.equal(drainTime(GATEWAY, mesh), 45_000)
  })

  it('knows both times of change, for the proxies that read one of them', async () => {
    const at = (object: KubeObject, time: string): KubeObject => ({
      ...object,
      metadata: { ...object.metadata, managedFields: [{ time }] },
    })
    const early = await read(istiod(), at(own, '2026-11-29T09:00:00Z'), at(shared, '2026-11-29T10:00:00Z'))
    assert.equal(drainTime(GATEWAY, early), 5_000)
    const late = await read(istiod(), at(own, '2026-11-29T09:00:00Z'), at(shared, '2026-11-29T12:00:00Z'))
    assert.equal(drainTime(GATEWAY, late), 45_000)
  })

  const alone: [string, KubeObject[], string[]][] = [
    ['only the shared one, where the own one does not exist', [istiod(), shared], ['theirs', 'both']],
    ['only the own one, where the shared one does not exist', [istiod(), own], ['both']],
    ['only the own one, where istiod names no other', [istiod('asm-1-29', ''), own, shared], ['both']],
    [
      'only the own one, where the istiod of another revision names another',
      [istiod('asm-1-28'), own, shared],
      ['both'],
    ],
    [
      'the shared one, where the own one is no YAML',
      [istiod(), configMap('istio-asm-1-29', ': ['), shared],
      ['theirs', 'both'],
    ],
  ]
  for (const [what, objects, expected] of alone)
    it(`is ${what}`, async () =>
      assert.deepEqual(
        authorizers(await read(...objects)).map(({ name }) => name),
        expected,
      ))

  it('is the own one for users who may not list the pods of istiod', async () => {
    const cluster = new FakeCluster([istiod(), own, shared])
    cluster.fail('list', 'pods', new UserError('FORBIDDEN', 'pods is forbidden'))
    assert.equal(authorizers(await readMeshConfig(GATEWAY, cluster)).length, 1)
  })

  it('has selectors of namespaces as they are, whatever form they have', async () => {
    const text = `discovery_selectors: [{matchLabels: {my_team: mesh}}, {matchExpressions: [{key: a, operator: In, values: [b]}]}, 7]`
    assert.deepEqual(discoverySelectors(await read(istiod(), configMap('istio-asm-1-29', text))), [
      { matchLabels: { my_team: 'mesh' }, matchExpressions: [] },
      { matchLabels: {}, matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] },
      { matchLabels: {}, matchExpressions: [] },
    ])
  })
})
