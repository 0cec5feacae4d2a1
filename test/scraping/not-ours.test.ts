import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject, Resource, WriteOptions } from '../../src/cluster/cluster.ts'
import { changedLabels, ownedLabels, SCRAPING } from '../../src/cluster/ownership.ts'
import { UserError } from '../../src/errors.ts'
import { scrapeWith } from '../../src/scraping/scrape-secure.ts'
import type { WorkloadObject } from '../../src/workloads/workload-object.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { fakeWorld } from '../fakes/fake-world.ts'
import { istiod, RollingCluster, workload } from '../fakes/workloads.ts'

const SCRAPE = {
  ...{ names: [], selector: undefined, namespaces: ['default'], allNamespaces: false, gateways: false },
  ...{ method: 'auto' as const, harden: false, yes: true, dryRun: 'none' as const, timeout: 1_000 },
  ...{ onlyPrometheus: false, prometheus: undefined },
}
const CLEANUP = { addons: requireAddons([]), scraping: { timeout: 1_000 }, yes: true, dryRun: 'none' } as const

/** The API server refuses every write to objects of this name, as it does for an immutable ConfigMap. */
class RefusingCluster extends RollingCluster {
  refused = ''

  override async replace<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions): Promise<T> {
    if (object.metadata.name === this.refused) throw new UserError('REJECTED', 'the API server rejects it: immutable')
    return super.replace(resource, object, options)
  }
}

function configMap(
  name: string,
  record: unknown,
  labels: Record<string, string> = changedLabels(SCRAPING),
): KubeObject {
  const text = typeof record === 'string' ? record : JSON.stringify(record)
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'tenant', labels, annotations: { 'kubectl-telemetry/before-scraping': text } },
    data: { a: 'b' },
  }
}

const field = (path: unknown[], value: unknown, existed = 1) => ({ path, existed, before: { value }, after: {} })
const recordOf = (...fields: object[]) => ({ managedFields: [], fields })
const VICTIM: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'target', namespace: 'victim' },
  data: { k: 'original' },
}

/** What cleanup --scraping reports beside undoing a workload of ours, and what it leaves of the tenant's objects. */
async function cleaned(...tenants: KubeObject[]) {
  const cluster = new RefusingCluster([istiod(), ...workload('web'), VICTIM, ...tenants])
  await scrapeWith(undefined, SCRAPE, fakeWorld(cluster, new FakeTerminal()))
  cluster.refused = 'immutable'
  const result = await cleanup(CLEANUP, fakeWorld(cluster, new FakeTerminal()))
  const of = (namespace: string) => cluster.objects.filter(({ metadata }) => metadata.namespace === namespace)
  assert.deepEqual(
    result.restored.filter(({ namespace }) => namespace === 'default').map(({ name }) => name),
    ['web'],
  )
  assert.deepEqual(
    of('victim').map(({ data }) => data),
    [VICTIM.data],
  )
  return { result, codes: result.warnings.map(({ code }) => code), left: of('tenant') }
}

describe('cleanup --scraping and objects of a tenant', () => {
  it('changes no object but the one that carries the record', async () => {
    const moved = recordOf(field(['data'], { k: 'evil' }), field(['metadata'], { name: 'target', namespace: 'victim' }))
    const { codes, left } = await cleaned(configMap('innocent', moved))
    assert.deepEqual(codes, ['RECORD_INVALID'])
    assert.deepEqual(left[0]?.data, { a: 'b' })
  })

  for (const text of ['{', '', 'null', '[]', '{"fields":7}', '['.repeat(50_000), '"\u001b[2J"'])
    it(`reports a broken record once and restores everything else: ${JSON.stringify(text.slice(0, 20))}`, async () => {
      const { codes } = await cleaned(configMap('innocent', text))
      assert.deepEqual(codes, ['RECORD_INVALID'])
    })

  it('restores everything else if the API server refuses one object', async () => {
    const { result, codes } = await cleaned(configMap('immutable', recordOf(field(['data', 'a'], 'before'))))
    assert.deepEqual(codes, ['REJECTED'])
    assert.deepEqual(
      result.remaining.map(({ name }) => name),
      ['immutable'],
    )
  })

  it('reports a label without a change', async () => {
    const labelled = { ...VICTIM, metadata: { name: 'l', namespace: 'tenant', labels: changedLabels(SCRAPING) } }
    assert.deepEqual((await cleaned(labelled)).codes, ['OBJECT_NOT_TRUSTED'])
  })

  it('removes no field that scrape-secure does not set, whoever its manager says it is', async () => {
    const [deployment] = workload('app', { namespace: 'tenant', metadata: { labels: changedLabels(SCRAPING) } })
    const container = { 'k:{"name":"app"}': { 'f:securityContext': {} } }
    const fieldsV1 = { 'f:spec': { 'f:template': { 'f:spec': { 'f:containers': container } } } }
    const managedFields = [{ manager: 'istio-telemetry-scraping', operation: 'Apply', fieldsV1 }]
    const claiming = { ...deployment, metadata: { ...deployment?.metadata, managedFields } } as WorkloadObject
    const { codes, left } = await cleaned(claiming)
    assert.deepEqual(codes, ['OBJECT_NOT_TRUSTED'])
    assert.deepEqual(left[0]?.metadata.managedFields, managedFields)
  })

  const owned = (kind: string, name: string, spec: object): KubeObject => ({
    apiVersion: 'security.istio.io/v1',
    kind,
    metadata: { name, namespace: 'tenant', labels: ownedLabels(SCRAPING) },
    spec,
  })
  const selector = { matchLabels: { app: 'x' } }
  for (const [what, object] of Object.entries({
    'of another name': owned('AuthorizationPolicy', 'mine', { selector }),
    'for all pods': owned('PeerAuthentication', 'kubectl-telemetry-deployment-app', {}),
    'that something else made': {
      ...owned('AuthorizationPolicy', 'kubectl-telemetry-deployment-app', { selector }),
      metadata: {
        ...owned('AuthorizationPolicy', 'kubectl-telemetry-deployment-app', {}).metadata,
        managedFields: [{ manager: 'kubectl', operation: 'Update', fieldsV1: {} }],
      },
    },
  }))
    it(`leaves an object with our labels ${what}`, async () => {
      const { codes, left } = await cleaned(object)
      assert.deepEqual(codes, ['OBJECT_NOT_TRUSTED'])
      assert.equal(left.length, 1)
    })
})
