import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { type CleanupRequest, cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { changedLabels, isOwned, ownedLabels, part } from '../../src/cluster/ownership.ts'
import { SERVICES } from '../../src/cluster/resources.ts'
import { expose } from '../../src/exposing/expose.ts'
import { scrapeWith } from '../../src/scraping/scrape-secure.ts'
import {
  createdObjects,
  find,
  fullMesh,
  gatewayHosts,
  hosts,
  refusal,
  requestFor,
  written,
} from '../exposing/exposing.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { fakeWorld } from '../fakes/fake-world.ts'
import { asFormerVersion } from '../fakes/former-version.ts'
import { istiod, RollingCluster, workload } from '../fakes/workloads.ts'

const EVERYTHING: CleanupRequest = { addons: requireAddons([]), yes: true, dryRun: 'none' }
const SCRAPING: CleanupRequest = { ...EVERYTHING, scraping: { timeout: 1_000 } }
const EVERY_CLEANUP: [string, CleanupRequest][] = [
  ['cleanup', EVERYTHING],
  ['cleanup grafana', { ...EVERYTHING, addons: requireAddons(['grafana']) }],
  ['cleanup --expired', { ...EVERYTHING, expired: true }],
  ['cleanup --documented-setup', { ...EVERYTHING, documentedSetup: 'x' }],
  ['cleanup --scraping', SCRAPING],
]

const TRACING = part('tracing')
const FIELDS = { 'f:spec': { 'f:template': { 'f:metadata': { 'f:annotations': { 'f:traced': {} } } } } }

/** Objects that a future part creates and changes: with names of exposing, of scraping and of Istio's page. */
function tracingObjects(): KubeObject[] {
  const networking = 'networking.istio.io/v1'
  const owned = (apiVersion: string, kind: string, name: string, content: object): KubeObject => ({
    apiVersion,
    kind,
    metadata: {
      name,
      namespace: 'istio-system',
      labels: ownedLabels(TRACING, 'grafana'),
      annotations: { 'kubectl-telemetry/expires-at': '2020-01-01T00:00:00Z' },
      managedFields: [{ manager: TRACING.manager, operation: 'Apply', fieldsV1: FIELDS }],
    },
    ...content,
  })
  const route = { hosts: ['grafana.192.0.2.10.nip.io'], gateways: ['grafana-gateway'], http: [] }
  const [deployment = assert.fail()] = workload('traced', {
    namespace: 'istio-system',
    metadata: {
      labels: changedLabels(TRACING),
      annotations: { 'kubectl-telemetry/before-tracing': '{"fields":[],"managedFields":[]}' },
      managedFields: [{ manager: TRACING.manager, operation: 'Apply', fieldsV1: FIELDS }],
    },
    template: { annotations: { traced: 'yes' } },
  })
  return [
    owned('v1', 'Secret', 'kubectl-telemetry-tls', { type: 'kubernetes.io/tls', data: {} }),
    owned('v1', 'Secret', 'telemetry-gw-cert', { data: {} }),
    owned(networking, 'Gateway', 'kubectl-telemetry', { spec: { selector: {}, servers: [] } }),
    owned(networking, 'VirtualService', 'kubectl-telemetry-grafana', { spec: route }),
    owned(networking, 'VirtualService', 'grafana-vs', { spec: route }),
    owned('v1', 'ConfigMap', 'kubectl-telemetry', { data: {} }),
    owned(networking, 'Sidecar', 'kubectl-telemetry-deployment-web', { spec: {} }),
    deployment,
  ]
}

describe('objects of another part', () => {
  for (const [command, request] of EVERY_CLEANUP) {
    it(`survive ${command} to the byte`, async () => {
      const one = fullMesh()
      await expose(requestFor('kiali'), one)
      const others = tracingObjects().map(({ metadata, ...rest }) => ({
        ...rest,
        metadata: { ...metadata, namespace: 'x' },
      }))
      one.cluster.objects.push(...structuredClone([...others, ...tracingObjects().slice(-1)]))
      const before = one.cluster.objects.slice(-others.length - 1).map((object) => JSON.stringify(object))
      await cleanup(request, one)
      const after = new Set(one.cluster.objects.map((object) => JSON.stringify(object)))
      assert.deepEqual(
        before.filter((object) => !after.has(object)),
        [],
      )
    })
  }

  it('are not reported as an exposure, and one with the name of an object that expose needs is refused', async () => {
    const one = fullMesh()
    const [secret = assert.fail()] = tracingObjects()
    one.cluster.objects.push(secret)
    const { code, message } = await refusal(expose(requestFor('grafana'), one))
    assert.equal(code, 'NOT_OURS')
    assert.match(message, /secret\/kubectl-telemetry-tls .* was created by another part of kubectl telemetry/)
    assert.deepEqual(written(one), [])
  })
})

describe('objects of the version without parts', () => {
  it('are taken over by expose, whatever it changes in them', async () => {
    const one = fullMesh()
    await expose({ ...requestFor('grafana'), terms: { allowAnonymous: true, ttl: 3_600_000 } }, one)
    asFormerVersion(one.cluster)
    await expose({ ...requestFor('grafana', 'kiali'), terms: { allowAnonymous: true, ttl: 'never' } }, one)
    assert.deepEqual(gatewayHosts(one.cluster), hosts('grafana', 'kiali'))
    const { annotations = {}, labels, managedFields } = find(one.cluster, 'VirtualService', 'grafana').metadata
    assert.equal(annotations['kubectl-telemetry/expires-at'], undefined, 'a field that is no longer applied is gone')
    assert.equal(labels?.['kubectl-telemetry/part'], 'exposing')
    assert.deepEqual(
      (managedFields as { manager: string }[]).map(({ manager }) => manager),
      ['istio-telemetry-exposing'],
    )
  })

  it('are shown by a dry run without being written', async () => {
    const one = fullMesh()
    await expose(requestFor('grafana'), one)
    asFormerVersion(one.cluster)
    const before = structuredClone(one.cluster.objects)
    const { result } = await expose({ ...requestFor('grafana', 'kiali'), dryRun: 'server' }, one)
    assert.equal(result.outcome, 'planned')
    assert.deepEqual(one.cluster.objects, before)
  })

  it('are removed by cleanup, and ports of the Service as well', async () => {
    const one = fullMesh()
    const service = { name: 'istio-ingressgateway', namespace: 'istio-system' }
    const before = await one.cluster.get(SERVICES, service)
    await expose({ ...requestFor('grafana', 'kiali'), layout: 'ports' }, one)
    asFormerVersion(one.cluster)
    await cleanup({ ...EVERYTHING, addons: requireAddons(['grafana']) }, one)
    assert.deepEqual(
      createdObjects(one.cluster)
        .map(({ kind }) => kind)
        .sort(),
      ['Gateway', 'Secret', 'VirtualService'],
    )
    asFormerVersion(one.cluster)
    await cleanup(EVERYTHING, one)
    assert.deepEqual(one.cluster.objects.filter(isOwned), [])
    assert.deepEqual((await one.cluster.get(SERVICES, service))?.spec, before?.spec)
  })

  const SCRAPE = {
    ...{ names: [], selector: undefined, namespaces: [], allNamespaces: true, gateways: false },
    ...{ method: 'sidecar' as const, harden: false, yes: true, dryRun: 'none' as const, timeout: 1_000 },
    ...{ onlyPrometheus: false, prometheus: undefined },
  }
  const own = { 'traffic.sidecar.istio.io/excludeInboundPorts': '9000' }
  const scene = () => [istiod(), ...workload('web'), ...workload('db', { template: { annotations: own } })]
  const contents = ({ objects }: RollingCluster) =>
    objects
      .map(({ kind, spec, metadata: { name, labels = {}, annotations = {}, managedFields = [] } }) =>
        JSON.stringify({ kind, spec, name, labels, annotations, managedFields }),
      )
      .sort()

  for (const again of [false, true])
    it(`are restored and removed by cleanup --scraping${again ? ' after another scrape-secure' : ''}`, async () => {
      const cluster = new RollingCluster(scene())
      await scrapeWith(undefined, SCRAPE, fakeWorld(cluster, new FakeTerminal()))
      asFormerVersion(cluster)
      if (again) {
        const { result } = await scrapeWith(
          undefined,
          { ...SCRAPE, harden: true },
          fakeWorld(cluster, new FakeTerminal()),
        )
        assert.deepEqual(new Set(result.workloads.map(({ action }) => action)), new Set(['configured']))
      }
      const before = cluster.objects.length
      assert.deepEqual((await cleanup(EVERYTHING, fakeWorld(cluster, new FakeTerminal()))).deleted, [])
      assert.equal(cluster.objects.length, before)
      const { remaining } = await cleanup(SCRAPING, fakeWorld(cluster, new FakeTerminal()))
      assert.deepEqual(remaining, [])
      assert.deepEqual(contents(cluster), contents(new RollingCluster(scene())))
    })
})
