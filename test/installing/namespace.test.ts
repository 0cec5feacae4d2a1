import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { DEPLOYMENTS } from '../../src/cluster/resources.ts'
import { UserError } from '../../src/errors.ts'
import { renderFindings } from '../../src/rendering/findings.ts'
import { visible } from '../../src/text.ts'
import type { FakeCluster } from '../fakes/fake-cluster.ts'
import { RollingCluster } from '../fakes/workloads.ts'
import { installing, mesh, namespace, uninstalling } from './installing.ts'

const PLACE = { namespace: 'telemetry' }
const titles = ({ objects }: FakeCluster) => objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`)

function inside(kind: string, name: string, more: object = {}, metadata: object = {}): KubeObject {
  return { apiVersion: 'v1', kind, metadata: { name, namespace: 'telemetry', ...metadata }, ...more }
}

/** What Kubernetes and Istio put into every namespace, and what is left of a Deployment for a while. */
function added(): KubeObject[] {
  const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'jaeger-5d9f8', controller: true }]
  return [
    inside('ConfigMap', 'kube-root-ca.crt'),
    inside('ConfigMap', 'istio-ca-root-cert'),
    inside('ServiceAccount', 'default'),
    inside('Event', 'jaeger.123'),
    inside('Pod', 'jaeger-5d9f8-x', {}, { ownerReferences }),
    inside('Pod', 'ending', {}, { deletionTimestamp: '2026-11-21T12:00:00Z' }),
  ]
}

describe('addons install -n, of a namespace that does not exist', () => {
  it('creates it first, and the objects in it are rehearsed before the first of them is written', async () => {
    const cluster = mesh()
    const { result } = await installing(cluster, ['jaeger'], PLACE)
    assert.deepEqual(
      cluster.writes.slice(0, 2).map(({ object }) => object),
      ['Namespace/telemetry', 'ConfigMap/kubectl-telemetry-addons'],
    )
    assert.deepEqual(result.objects[0], {
      kind: 'Namespace',
      group: '',
      namespace: '',
      name: 'telemetry',
      action: 'created',
    })
    const { writes } = cluster
    const count = writes.length
    await installing(cluster, ['jaeger'], PLACE)
    assert.equal(writes.length, count)
  })

  it('deletes it again if the API server refuses one of the objects', async () => {
    const cluster = mesh()
    const before = titles(cluster)
    cluster.fail('apply', DEPLOYMENTS.plural, new UserError('REJECTED', 'no'), true)
    await assert.rejects(installing(cluster, ['jaeger'], PLACE), { code: 'REJECTED' })
    assert.deepEqual(titles(cluster), before)
    assert.deepEqual(
      cluster.writes.map(({ verb, object }) => `${verb} ${object}`),
      ['apply Namespace/telemetry', 'delete Namespace/telemetry'],
    )
  })

  it('says in a dry run what could not be tried', async () => {
    const cluster = mesh()
    const { result } = await installing(cluster, ['jaeger'], { ...PLACE, dryRun: 'server' })
    assert.deepEqual([result.warnings.map(({ code }) => code), cluster.writes], [['NOT_REHEARSED'], []])
  })
})

describe('addons uninstall, of a namespace that addons install created', () => {
  async function installed(...more: KubeObject[]): Promise<RollingCluster> {
    const cluster = mesh()
    await installing(cluster, ['jaeger'], PLACE)
    cluster.objects.push(...structuredClone(more))
    cluster.writes.length = 0
    return cluster
  }

  it('deletes it last, whenever a run before was killed', async () => {
    const whole = await installed()
    const before = structuredClone(whole.objects)
    await uninstalling(whole, ['jaeger'])
    assert.equal(whole.writes.at(-1)?.object, 'Namespace/telemetry')
    for (let writes = 1; writes < whole.writes.length; writes++) {
      const gone = whole.writes.slice(0, writes).map(({ object }) => object)
      const left = before.filter(({ kind, metadata }) => !gone.includes(`${kind}/${metadata.name}`))
      const cluster = new RollingCluster(left)
      await uninstalling(cluster, ['jaeger'])
      assert.deepEqual(titles(cluster), titles(mesh()), `after ${writes} writes`)
    }
  })

  it('does not count what Kubernetes and Istio put into it', async () => {
    const cluster = await installed(...added())
    const { warnings } = await uninstalling(cluster, ['jaeger'])
    assert.deepEqual([warnings, titles(cluster).includes('Namespace/telemetry')], [[], false])
  })

  for (const [what, object] of [
    ['a claim of a volume', inside('PersistentVolumeClaim', 'storage-loki-0')],
    ['a kind that nobody here knows', { ...inside('Widget', 'mine'), apiVersion: 'example.com/v1' }],
    [
      'an object of an owner of another kind',
      inside('ConfigMap', 'own', {}, { ownerReferences: [{ apiVersion: 'example.com/v1', controller: true }] }),
    ],
  ] as const)
    it(`leaves it because of ${what}`, async () => {
      const cluster = await installed(object)
      const { warnings, deleted, remaining } = await uninstalling(cluster, ['jaeger'])
      assert.equal(warnings[0]?.code, 'NAMESPACE_KEPT')
      assert.match(warnings[0]?.message ?? '', new RegExp(`${object.kind} ${object.metadata.name}`))
      assert.ok(!deleted.some(({ kind }) => kind === 'Namespace'))
      assert.deepEqual([titles(cluster).includes('Namespace/telemetry'), remaining], [true, []])
    })

  it('names it on one line, whatever an aggregated API calls its kinds', async () => {
    const cluster = await installed({ ...inside('Widget\nerror: \u001b[31mx', 'mine'), apiVersion: 'example.com/v1' })
    const { warnings } = await uninstalling(cluster, ['jaeger'])
    const lines = visible(renderFindings(warnings)).split('\n')
    assert.deepEqual([lines.length, lines.join().includes('\u001b')], [2, false])
  })

  it('leaves it when not everything in it can be listed', async () => {
    const forbidden = await installed(inside('Secret', 'x'))
    forbidden.fail('list', 'secrets', new UserError('FORBIDDEN', 'no'))
    const unknown = await installed()
    unknown.kindsKnown = false
    for (const cluster of [forbidden, unknown]) {
      const { warnings } = await uninstalling(cluster, ['jaeger'])
      assert.deepEqual(
        warnings.map(({ code }) => code),
        ['NAMESPACE_KEPT'],
      )
      assert.ok(titles(cluster).includes('Namespace/telemetry'))
    }
  })

  it('leaves it while another add-on is installed in it', async () => {
    const cluster = mesh()
    await installing(cluster, ['jaeger', 'prometheus'], PLACE)
    await uninstalling(cluster, ['jaeger'])
    assert.ok(titles(cluster).includes('Namespace/telemetry'))
  })

  it('leaves a namespace that was there before', async () => {
    const cluster = mesh(namespace('telemetry'))
    await installing(cluster, ['jaeger'], PLACE)
    await uninstalling(cluster, ['jaeger'])
    assert.ok(titles(cluster).includes('Namespace/telemetry'))
  })
})
