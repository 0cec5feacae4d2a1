import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { QUICK_START, SAMPLE_NAMES } from '../../src/installing/catalog.ts'
import { deployment, installing, mesh, namespace, uninstalling } from './installing.ts'

const ALL = [...SAMPLE_NAMES]
const titles = (objects: readonly KubeObject[]) => objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`)

describe('addons uninstall', () => {
  it('deletes everything that was installed, the record last', async () => {
    const cluster = mesh(deployment('shop', 'web', 'web:1'))
    const before = titles(cluster.objects)
    await installing(cluster, [...QUICK_START])
    cluster.writes.length = 0
    const { remaining, outcome } = await uninstalling(cluster, ALL)
    assert.deepEqual([titles(cluster.objects), remaining, outcome], [before, [], 'applied'])
    assert.equal(cluster.writes.at(-1)?.object, 'ConfigMap/kubectl-telemetry-addons')
  })

  it('of one add-on leaves the others, and the record of them', async () => {
    const cluster = mesh()
    await installing(cluster, ['prometheus', 'loki'])
    await uninstalling(cluster, ['loki'])
    const left = titles(cluster.objects)
    assert.ok(left.includes('Deployment/prometheus') && !left.includes('StatefulSet/loki'))
    const record = cluster.objects.find(({ metadata }) => metadata.name === 'kubectl-telemetry-addons')
    assert.deepEqual(Object.keys(record?.data ?? {}), ['prometheus'])
  })

  it('works after a run that ended between any two writes', async () => {
    const whole = mesh()
    await installing(whole, [...QUICK_START])
    for (let kept = 1; kept < whole.writes.length; kept++) {
      const cluster = mesh()
      const written = whole.writes.slice(0, kept).map(({ object }) => object)
      const objects = whole.objects.filter((one) => written.includes(`${one.kind}/${one.metadata.name}`))
      cluster.objects.push(...structuredClone(objects))
      await uninstalling(cluster, ALL)
      assert.deepEqual(titles(cluster.objects), titles(mesh().objects), `after ${kept} writes`)
    }
  })

  it('never deletes what a tenant labels as ours elsewhere, nor a role of another namespace', async () => {
    const cluster = mesh(namespace('tenant'))
    await installing(cluster, ['kiali'])
    const role = cluster.objects.find(({ kind }) => kind === 'ClusterRole') as KubeObject
    const labels = { ...role.metadata.labels, 'kubectl-telemetry/installed-in': 'tenant' }
    const planted = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'kubectl-telemetry-addons', namespace: 'tenant', labels },
    }
    cluster.objects.push({ ...planted, data: { kiali: '{}' } } as KubeObject)
    await uninstalling(cluster, ALL, 'tenant')
    assert.ok(titles(cluster.objects).includes('ClusterRole/kiali'))
    assert.ok(titles(cluster.objects).includes('Deployment/kiali'))
  })

  it('leaves an add-on of others', async () => {
    const cluster = mesh(deployment('istio-system', 'grafana', 'grafana/grafana:12.0.1'))
    await uninstalling(cluster, ALL)
    assert.ok(titles(cluster.objects).includes('Deployment/grafana'))
  })

  it('refuses a Prometheus that scrapes over mutual TLS', async () => {
    const cluster = mesh()
    await installing(cluster, ['prometheus'])
    const configuration = cluster.objects.find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'prometheus',
    ) as KubeObject
    configuration.metadata.labels = { ...configuration.metadata.labels, 'kubectl-telemetry/scraping': 'true' }
    const before = titles(cluster.objects)
    await assert.rejects(uninstalling(cluster, ALL), ({ code, suggestions }) => {
      assert.match(suggestions.join(), /cleanup --scraping/)
      return code === 'ADDON_IN_USE'
    })
    assert.deepEqual(titles(cluster.objects), before)
  })
})
