import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { applyChanges, planChanges, rehearse } from '../../src/changes/changes.ts'
import { Progress } from '../../src/changes/progress.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { SCRAPING } from '../../src/cluster/ownership.ts'
import { DEPLOYMENTS } from '../../src/cluster/resources.ts'
import { UserError } from '../../src/errors.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'

/** A Deployment of a chart with `annotations: {}` and `labels: {}`, after a server-side apply. */
const CHARTS = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'web',
    namespace: 'shop',
    managedFields: [
      {
        ...{ manager: 'helm', operation: 'Apply', time: '2026-11-21T12:00:00Z' },
        fieldsV1: {
          'f:metadata': { 'f:annotations': {}, 'f:labels': {} },
          'f:spec': { 'f:replicas': {}, 'f:template': { 'f:metadata': { 'f:annotations': {} } } },
        },
      },
      {
        manager: 'flux',
        operation: 'Apply',
        time: '2026-11-21T12:00:00Z',
        fieldsV1: { 'f:metadata': { 'f:labels': {} } },
      },
    ],
  },
  spec: { replicas: 1, template: { metadata: { labels: { app: 'web' } }, spec: { containers: [] } } },
}

const named = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'shop' } }
const OURS = {
  ...named,
  metadata: { ...named.metadata, labels: { ours: 'true' } },
  spec: { template: { metadata: { annotations: { ours: '1' } } } },
}
/** The values that the API server compares: in any order, and without the version that each write changes. */
const contentOf = (object: KubeObject | undefined) => {
  const { resourceVersion: _, managedFields = [], ...metadata } = object?.metadata ?? assert.fail()
  const owners = (managedFields as { manager: string }[]).toSorted((a, b) => (a.manager < b.manager ? -1 : 1))
  return { ...object, metadata: { ...metadata, managedFields: owners } }
}

/** The process ends at a write. */
class Killed extends FakeCluster {
  left = Number.POSITIVE_INFINITY

  override async apply<T extends KubeObject>(...[resource, manifest, options]: Parameters<FakeCluster['apply']>) {
    if (!options.dryRun) this.#count()
    return super.apply<T>(resource, manifest, options)
  }

  override async setManagedFields(...words: Parameters<FakeCluster['setManagedFields']>): Promise<void> {
    this.#count()
    return super.setManagedFields(...words)
  }

  #count(): void {
    if (this.left-- <= 0) throw new Error('killed')
  }
}

const present = (cluster: FakeCluster) => cluster.get(DEPLOYMENTS, named.metadata)
async function share(cluster: FakeCluster, manifest: KubeObject = OURS) {
  const object = await present(cluster)
  const changes = planChanges(
    [{ resource: DEPLOYMENTS, manifest, by: 'sharing' }],
    object === undefined ? [] : [object],
    SCRAPING,
  )
  return applyChanges(cluster, await rehearse(cluster, changes), new Progress())
}
const undo = (cluster: FakeCluster) => share(cluster, named)

describe('keys for empty maps of another field manager', () => {
  it('are added, and both managers own what they applied', async () => {
    const cluster = new FakeCluster([CHARTS])
    const [change] = await share(cluster)
    assert.equal(change?.action, 'configured')
    const { metadata, spec } = (await present(cluster)) ?? assert.fail()
    assert.deepEqual([metadata.labels, metadata.annotations], [{ ours: 'true' }, undefined])
    assert.deepEqual((spec as typeof CHARTS.spec).template.metadata, {
      labels: { app: 'web' },
      annotations: { ours: '1' },
    })
    const owners = metadata.managedFields as { manager: string; fieldsV1: object }[]
    assert.deepEqual(
      owners.find(({ manager }) => manager === 'helm'),
      CHARTS.metadata.managedFields[0],
    )
    assert.deepEqual(
      owners.find(({ manager }) => manager === 'flux'),
      CHARTS.metadata.managedFields[1],
    )
    assert.deepEqual(owners.find(({ manager }) => manager === SCRAPING.manager)?.fieldsV1, {
      'f:metadata': { 'f:labels': { 'f:ours': {} } },
      'f:spec': { 'f:template': { 'f:metadata': { 'f:annotations': { 'f:ours': {} } } } },
    })
  })

  it('can be changed without force, are unchanged the second time, and are removed without a trace', async () => {
    const cluster = new FakeCluster([CHARTS])
    const before = await present(cluster)
    await share(cluster)
    cluster.writes.length = 0
    assert.deepEqual(
      (await share(cluster)).map(({ action }) => action),
      ['unchanged'],
    )
    await share(cluster, { ...OURS, spec: { template: { metadata: { annotations: { ours: '2' } } } } })
    assert.deepEqual(
      cluster.writes.map(({ verb }) => verb),
      ['apply'],
    )
    await undo(cluster)
    assert.deepEqual(contentOf(await present(cluster)), contentOf(before))
  })

  it('are only dry runs in a rehearsal', async () => {
    const cluster = new FakeCluster([CHARTS])
    const before = await present(cluster)
    const changes = planChanges([{ resource: DEPLOYMENTS, manifest: OURS, by: 'sharing' }], cluster.objects, SCRAPING)
    const [change] = await rehearse(cluster, changes)
    assert.equal(change?.action, 'configured')
    assert.deepEqual(change?.after?.metadata.annotations, undefined)
    assert.deepEqual([cluster.writes, await present(cluster)], [[], before])
  })

  for (let writes = 1; writes < 4; writes++)
    it(`that were interrupted after write ${writes}: the next run continues, and an undo leaves no trace`, async () => {
      for (const again of [false, true]) {
        const cluster = new Killed([CHARTS])
        const before = await present(cluster)
        cluster.left = writes
        await share(cluster).catch(({ message }) => assert.equal(message, 'killed'))
        cluster.left = Number.POSITIVE_INFINITY
        if (again) {
          await share(cluster)
          assert.deepEqual((await present(cluster))?.metadata.annotations, undefined)
        }
        await undo(cluster)
        assert.deepEqual(contentOf(await present(cluster)), contentOf(before))
      }
    })

  it('are tried again if another write was faster', async () => {
    /** After the first look, the object has another version. */
    class Busy extends FakeCluster {
      #looks = 0

      override async get<T extends KubeObject>(...words: Parameters<FakeCluster['get']>): Promise<T | undefined> {
        const found = await super.get<T>(...words)
        if (this.#looks++ === 1) Object.assign(this.objects[0]?.metadata ?? {}, { resourceVersion: '9999' })
        return found
      }
    }
    const cluster = new Busy([CHARTS])
    await share(cluster)
    const { metadata } = (await present(cluster)) ?? assert.fail()
    assert.deepEqual([metadata.labels, metadata.annotations], [{ ours: 'true' }, undefined])
  })

  it('are refused together with any other field that another manager owns', async () => {
    const cluster = new FakeCluster([CHARTS])
    const before = await present(cluster)
    const manifest = { ...OURS, spec: { ...OURS.spec, replicas: 2 } }
    await assert.rejects(
      share(cluster, manifest),
      (error) => error instanceof UserError && error.code === 'FIELD_CONFLICT',
    )
    assert.deepEqual([cluster.writes, await present(cluster)], [[], before])
  })
})
