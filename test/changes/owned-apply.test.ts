import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { applyChanges, planChanges, rehearse } from '../../src/changes/changes.ts'
import { Progress } from '../../src/changes/progress.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { EXPOSING, ownedLabels } from '../../src/cluster/ownership.ts'
import { SECRETS } from '../../src/cluster/resources.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'

const MANIFEST: KubeObject = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'kubectl-telemetry-tls', namespace: 'x', labels: ownedLabels(EXPOSING) },
  type: 'kubernetes.io/tls',
  data: { 'tls.crt': 'b3Vycw==' },
}
const theirs = (labels = {}): KubeObject => ({
  ...MANIFEST,
  metadata: { ...MANIFEST.metadata, labels },
  data: { a: 'b' },
})
const planned = (present: KubeObject[]) => planChanges([{ resource: SECRETS, manifest: MANIFEST }], present, EXPOSING)
const apply = (cluster: FakeCluster, present: KubeObject[]) => applyChanges(cluster, planned(present), new Progress())

describe('an object of ours', () => {
  it('is created without a read of its own', async () => {
    const cluster = new FakeCluster([])
    await rehearse(cluster, planned([]))
    await apply(cluster, [])
    assert.deepEqual(cluster.reads, [])
    assert.deepEqual(cluster.objects[0]?.data, MANIFEST.data)
  })

  it('is not merged into one that somebody makes between reading and writing', async () => {
    const cluster = new FakeCluster([theirs()])
    await assert.rejects(rehearse(cluster, planned([])), { code: 'NOT_OURS' })
    await assert.rejects(apply(cluster, []), { code: 'NOT_OURS' })
    assert.deepEqual([cluster.objects[0]?.data, cluster.writes], [{ a: 'b' }, []])
  })

  it('is not merged into one that replaces it between reading and writing', async () => {
    const cluster = new FakeCluster([theirs()])
    const known = { ...MANIFEST, metadata: { ...MANIFEST.metadata, uid: 'the one before' }, data: {} }
    await assert.rejects(apply(cluster, [known]), { code: 'NOT_OURS' })
    assert.deepEqual([cluster.objects[0]?.data, cluster.writes], [{ a: 'b' }, []])
  })

  it('that another run of ours makes at the same time is shared with it', async () => {
    const cluster = new FakeCluster([theirs(ownedLabels(EXPOSING))])
    await apply(cluster, [])
    assert.equal((cluster.objects[0]?.data as Record<string, string>)['tls.crt'], 'b3Vycw==')
  })

  it('is created by four runs at once, and each of them ends well', async () => {
    const cluster = new FakeCluster([])
    await Promise.all(Array.from({ length: 4 }, () => apply(cluster, [])))
    assert.equal(cluster.objects.length, 1)
  })

  it('that is gone in the meantime is created', async () => {
    const cluster = new FakeCluster([])
    await apply(cluster, [{ ...MANIFEST, metadata: { ...MANIFEST.metadata, uid: 'gone' }, data: {} }])
    assert.equal(cluster.objects.length, 1)
  })
})
