import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { listAddons } from '../../src/installing/list.ts'
import { renderAddonList, renderInstall } from '../../src/rendering/addons.ts'
import { renderCleanup } from '../../src/rendering/cleanup.ts'
import { RollingCluster } from '../fakes/workloads.ts'
import { expectGolden } from '../golden-file.ts'
import { deployment, installing, istiod, mesh, namespace, needsOf, uninstalling } from './installing.ts'

describe('addons list', () => {
  it('shows each add-on that can be installed: where it runs, who installed it, and the version that fits', async () => {
    const cluster = mesh(
      deployment('monitoring', 'my-grafana', 'registry.example:5000/grafana/grafana:11.2.0@sha256:aa'),
      deployment('tracing', 'zipkin', 'zipkin'),
    )
    await installing(cluster, ['prometheus', 'loki'])
    const list = await listAddons({}, needsOf(cluster))
    expectGolden('addons-list.txt', renderAddonList(list, undefined))
    expectGolden('addons-list.json', renderAddonList(list, 'json'))
  })

  it('works without Istio, which is a warning', async () => {
    const list = await listAddons({}, needsOf(new RollingCluster([])))
    assert.deepEqual([list.istio, list.warnings.map(({ code }) => code)], [undefined, ['ISTIOD_NOT_FOUND']])
  })

  it('uses the older samples for a version between two, and says so', async () => {
    const cluster = new RollingCluster([istiod('1.29.3')])
    const { samples, warnings } = await listAddons({}, needsOf(cluster))
    assert.deepEqual([samples, warnings.map(({ code }) => code)], ['1.30', ['SAMPLES_OF_OTHER_VERSION']])
  })

  it('believes neither a label app=istiod of a tenant nor its image', async () => {
    const planted = { ...istiod('99.0.0\u001b[2J', 'tenant') }
    const { istio, warnings } = await listAddons({}, needsOf(mesh(planted)))
    assert.deepEqual([istio, warnings.map(({ code }) => code)], [undefined, ['ISTIOD_AMBIGUOUS']])
    const { istio: chosen } = await listAddons({ namespace: 'istio-system' }, needsOf(mesh(planted)))
    assert.equal(chosen?.version, '1.31.0')
  })
})

describe('the pages of addons', () => {
  it('say what was installed, and how far each add-on is', async () => {
    const cluster = mesh(deployment('istio-system', 'my-grafana', 'grafana/grafana:11.2.0'), namespace('obs'))
    const first = await installing(cluster, ['jaeger', 'grafana'])
    expectGolden('addons-install.txt', renderInstall(first, 'none', undefined, false))
    expectGolden('addons-install.json', renderInstall(first, 'none', 'json', false))
    cluster.stuck.add('prometheus')
    const second = await installing(cluster, ['prometheus', 'jaeger', 'zipkin'])
    expectGolden('addons-install-partly.txt', renderInstall(second, 'none', undefined, false))
    const planned = await installing(cluster, ['loki'], { dryRun: 'server', namespace: 'obs' })
    expectGolden('addons-install-dry-run.txt', renderInstall(planned, 'server', undefined, false))
    expectGolden('addons-install-manifests.yaml', renderInstall(planned, 'server', 'yaml', false))
    const gone = await uninstalling(cluster, ['jaeger', 'prometheus'])
    expectGolden('addons-uninstall.txt', renderCleanup(gone, 'none', undefined, true))
  })
})
