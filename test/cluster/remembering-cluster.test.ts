import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'mocha'
import { EXPOSING } from '../../src/cluster/ownership.ts'
import { RememberingCluster } from '../../src/cluster/remembering-cluster.ts'
import { DEPLOYMENTS, PODS, SERVICES } from '../../src/cluster/resources.ts'
import { UserError } from '../../src/errors.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { grafana } from '../fakes/mesh.ts'

describe('RememberingCluster', () => {
  let fake: FakeCluster
  let cluster: RememberingCluster

  beforeEach(() => {
    fake = new FakeCluster([...grafana('a'), ...grafana('b')])
    cluster = new RememberingCluster(fake)
  })

  it('reads nothing twice, also for simultaneous requests', async () => {
    const both = await Promise.all([cluster.list(PODS, { namespace: 'a' }), cluster.list(PODS, { namespace: 'a' })])
    assert.deepEqual(both[0], both[1])
    await cluster.get(SERVICES, { name: 'grafana', namespace: 'a' })
    await cluster.get(SERVICES, { namespace: 'a', name: 'grafana' })
    await cluster.servedVersions('networking.istio.io')
    await cluster.servedVersions('networking.istio.io')
    assert.deepEqual(fake.reads, ['list pods', 'get services', 'versions networking.istio.io'])
  })

  it('reads again for another kind, namespace, labels or content', async () => {
    await cluster.list(PODS, { namespace: 'a' })
    await cluster.list(PODS, { namespace: 'b' })
    await cluster.list(PODS, { namespace: 'a', labels: 'app' })
    await cluster.list(PODS, { namespace: 'a', metadataOnly: true })
    await cluster.list(SERVICES, { namespace: 'a' })
    assert.equal(fake.reads.length, 5)
  })

  it('finds the objects of a namespace in a list of all namespaces', async () => {
    const all = await cluster.list(PODS)
    const own = await cluster.list(PODS, { namespace: 'b' })
    assert.deepEqual([all.length, own.map(({ metadata }) => metadata.namespace)], [2, ['b']])
    assert.deepEqual(fake.reads, ['list pods'])
  })

  it('reads a namespace without the permission to read all namespaces', async () => {
    const real = fake.list.bind(fake)
    fake.list = async (resource, options = {}) => {
      if (options.namespace === undefined) throw new UserError('FORBIDDEN', 'you may not')
      return real(resource, options)
    }
    await assert.rejects(cluster.list(PODS), { code: 'FORBIDDEN' })
    assert.equal((await cluster.list(PODS, { namespace: 'b' })).length, 1)
  })

  it('gives each reader its own list', async () => {
    const first = await cluster.list(PODS)
    first.pop()
    assert.equal((await cluster.list(PODS)).length, 2)
  })

  it('reads again after a write, but not after a dry run', async () => {
    const manifest = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x', namespace: 'a' } }
    assert.deepEqual(await cluster.list(DEPLOYMENTS), [])
    await cluster.apply(DEPLOYMENTS, manifest, { ...EXPOSING, dryRun: true })
    await cluster.list(DEPLOYMENTS)
    assert.equal(fake.reads.length, 1)
    await cluster.apply(DEPLOYMENTS, manifest, EXPOSING)
    const [written] = await cluster.list(DEPLOYMENTS)
    assert.equal(written?.metadata.name, 'x')
    await cluster.delete(DEPLOYMENTS, written)
    assert.deepEqual(await cluster.list(DEPLOYMENTS), [])
  })

  it('does not remember reads during a write', async () => {
    const manifest = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x', namespace: 'a' } }
    const real = fake.apply.bind(fake)
    fake.apply = async (resource, ...rest) => {
      await cluster.list(DEPLOYMENTS)
      return real(resource, ...rest)
    }
    await cluster.apply(DEPLOYMENTS, manifest, EXPOSING)
    assert.equal((await cluster.list(DEPLOYMENTS)).length, 1)
  })
})
