/** Mesh-wide settings of the capture: an annotation of a pod template replaces them, so ours keeps them. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { injectorOf } from '../../src/scraping/injector.ts'
import { scrapeWith } from '../../src/scraping/scrape-secure.ts'
import type { WorkloadObject } from '../../src/workloads/workload-object.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { fakeWorld } from '../fakes/fake-world.ts'
import { type FakeWorkload, injectorConfig, istiod, RollingCluster, workload } from '../fakes/workloads.ts'

const REQUEST = {
  ...{ names: [], selector: undefined, namespaces: [], allNamespaces: true, gateways: false },
  ...{ method: 'auto' as const, harden: false, yes: true, dryRun: 'none' as const, timeout: 1_000 },
  ...{ onlyPrometheus: false, prometheus: undefined },
}
const EXCLUDED = 'traffic.sidecar.istio.io/excludeInboundPorts'
const DATABASE = '15090,15021,3306,15020'

const run = async (cluster: RollingCluster) => {
  const { result } = await scrapeWith(undefined, REQUEST, fakeWorld(cluster, new FakeTerminal()))
  return result.workloads.map(({ action, code }) => code ?? action)
}
const web = ({ objects }: RollingCluster) => objects.find(({ metadata }) => metadata.name === 'web') as WorkloadObject
const excluded = (cluster: RollingCluster) => web(cluster).spec.template.metadata.annotations?.[EXCLUDED]
const mesh = (wanted: FakeWorkload, ...more: KubeObject[]) =>
  new RollingCluster([istiod(), ...more, ...workload('web', wanted)])
const replaceInjector = (cluster: RollingCluster, injector: KubeObject) => {
  const present = cluster.objects.find(({ metadata }) => metadata.name === injector.metadata.name) ?? assert.fail()
  Object.assign(present, { data: injector.data })
}

describe('ports that the mesh does not capture', () => {
  const settings: [string, FakeWorkload, KubeObject[], string][] = [
    ['none', {}, [injectorConfig({ excludeInboundPorts: '' })], '15091,15092'],
    ['global.proxy', { notCaptured: DATABASE }, [injectorConfig({ excludeInboundPorts: '3306' })], '3306,15091,15092'],
    [
      'several, one of them ours',
      { notCaptured: '15090,15021,3306,15091,15020' },
      [injectorConfig({ excludeInboundPorts: '3306, 15091' })],
      '3306,15091,15092',
    ],
    ['a number', { notCaptured: DATABASE }, [injectorConfig({ excludeInboundPorts: 3306 })], '3306,15091,15092'],
    ['a new setting, before the pods have it', {}, [injectorConfig({ excludeInboundPorts: '9' })], '9,15091,15092'],
    [
      'the default of a template',
      { notCaptured: DATABASE },
      [injectorConfig({}, { template: `"{{ annotation .ObjectMeta \`${EXCLUDED}\` "3306" }}"` })],
      '3306,15091,15092',
    ],
    [
      'the injector of another revision',
      { notCaptured: DATABASE, revision: 'stable' },
      [
        istiod('1.31.0', 'stable'),
        injectorConfig({ excludeInboundPorts: '9' }),
        injectorConfig({ excludeInboundPorts: '3306' }, { name: 'istio-sidecar-injector-stable' }),
      ],
      '3306,15091,15092',
    ],
    [
      'an annotation of the user, which replaces the setting of the mesh',
      { notCaptured: '15090,15021,9000,15020', template: { annotations: { [EXCLUDED]: '9000' } } },
      [injectorConfig({ excludeInboundPorts: '3306' })],
      '9000,15091,15092',
    ],
    [
      'a configuration of the user',
      { notCaptured: DATABASE, template: { annotations: { 'proxy.istio.io/config': 'concurrency: 1\n' } } },
      [injectorConfig({ excludeInboundPorts: '3306' })],
      '3306,15091,15092',
    ],
  ]
  for (const [title, wanted, objects, expected] of settings)
    it(`stay out of the capture: ${title}`, async () => {
      const cluster = mesh(wanted, ...objects)
      const before = structuredClone(web(cluster).spec)
      assert.deepEqual([await run(cluster), excluded(cluster)], [['configured'], expected])
      assert.deepEqual(await run(cluster), ['unchanged'])
      const request = { addons: requireAddons([]), scraping: { timeout: 1_000 }, yes: true, dryRun: 'none' as const }
      await cleanup(request, fakeWorld(cluster, new FakeTerminal()))
      assert.deepEqual(web(cluster).spec, before)
    })

  it('follow a later change of the setting, also where our annotation has a record', async () => {
    for (const template of [{}, { annotations: { 'proxy.istio.io/config': 'concurrency: 1\n' } }]) {
      const cluster = mesh({ notCaptured: DATABASE, template }, injectorConfig({ excludeInboundPorts: '3306' }))
      await run(cluster)
      replaceInjector(cluster, injectorConfig({ excludeInboundPorts: '3306,3307' }))
      assert.deepEqual(await run(cluster), ['configured'])
      assert.deepEqual(excluded(cluster)?.split(',').toSorted(), ['15091', '15092', '3306', '3307'])
    }
  })

  const unknown: [string, FakeWorkload, KubeObject[]][] = [
    ['the injector cannot be read', { notCaptured: DATABASE }, []],
    ['the injector says something else', { notCaptured: DATABASE }, [injectorConfig({ excludeInboundPorts: '9' })]],
    ['the values are no JSON', { notCaptured: DATABASE }, [{ ...injectorConfig({}), data: { values: '{' } }]],
  ]
  for (const [title, wanted, objects] of unknown)
    it(`make the workload skipped if ${title}`, async () => {
      const cluster = mesh(wanted, ...objects)
      assert.deepEqual([await run(cluster), cluster.writes], [['EXCLUDED_PORTS_UNKNOWN'], []])
    })

  it('are not lost without the right to read the injector', async () => {
    const cluster = mesh({ notCaptured: DATABASE }, injectorConfig({ excludeInboundPorts: '3306' }))
    cluster.fail('get', 'configmaps', new UserError('FORBIDDEN', 'not allowed to read configmap'))
    assert.deepEqual(await run(cluster), ['EXCLUDED_PORTS_UNKNOWN'])
    const own = mesh({ notCaptured: DATABASE, template: { annotations: { [EXCLUDED]: '3306' } } })
    assert.deepEqual([await run(own), excluded(own)], [['configured'], '3306,15091,15092'])
  })

  it('are found in the annotation of the pods where a plugin of the nodes captures (CNI)', async () => {
    const cluster = mesh({}, injectorConfig({ excludeInboundPorts: '' }))
    const pod = cluster.objects.find(({ kind }) => kind === 'Pod') ?? assert.fail()
    pod.metadata.annotations = { ...pod.metadata.annotations, [EXCLUDED]: '15020,3306' }
    const spec = pod.spec as { initContainers: { name: string }[] }
    spec.initContainers = spec.initContainers.filter(({ name }) => name !== 'istio-init')
    assert.deepEqual(await run(cluster), ['EXCLUDED_PORTS_UNKNOWN'])
    replaceInjector(cluster, injectorConfig({ excludeInboundPorts: '3306' }))
    assert.deepEqual([await run(cluster), excluded(cluster)], [['configured'], '3306,15091,15092'])
  })

  for (const proxy of [{ includeInboundPorts: '8080' }, { excludeInboundPorts: '15091' }])
    it(`make the method sidecar impossible with ${JSON.stringify(proxy)}`, async () => {
      const cluster = new RollingCluster([istiod('1.30.0'), injectorConfig(proxy), ...workload('web')])
      assert.deepEqual(await run(cluster), ['NOT_CAPTURED'])
    })

  it('are read from a ConfigMap of any shape', () => {
    const shapes = ['', 'null', '[]', '{"global":[]}', '{"global":{"proxy":"x"}}', '{"global":{"proxy":{}}}']
    for (const values of shapes)
      assert.deepEqual(injectorOf({ ...injectorConfig({}), data: { values } }), { excluded: [], included: ['*'] })
    assert.equal(injectorOf(undefined), undefined)
  })
})
