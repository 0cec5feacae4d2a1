import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { requireSamples, SAMPLE_NAMES } from '../../src/installing/catalog.ts'
import { install } from '../../src/installing/install.ts'
import { service } from '../fakes/mesh.ts'
import type { RollingCluster } from '../fakes/workloads.ts'
import { installing, mesh, needsOf, uninstalling } from './installing.ts'

const REPLACE = { replace: true } as const
const titles = (objects: readonly KubeObject[]) => objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`)
const owners = ({ objects }: RollingCluster) =>
  new Set(objects.flatMap(({ metadata }) => metadata.labels?.['kubectl-telemetry/installed'] ?? []))
const recorded = ({ objects }: RollingCluster) =>
  Object.keys(objects.find(({ metadata }) => metadata.name === 'kubectl-telemetry-addons')?.data ?? {})

async function withJaeger(...more: string[]): Promise<RollingCluster> {
  const cluster = mesh()
  await installing(cluster, ['jaeger', ...more])
  cluster.writes.length = 0
  return cluster
}

function route(namespace: string, host: string): KubeObject {
  const labels = { 'app.kubernetes.io/managed-by': 'kubectl-telemetry', 'kubectl-telemetry/part': 'exposing' }
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: 'kubectl-telemetry-tracing', namespace, labels },
    spec: { http: [{ route: [{ destination: { host } }] }] },
  }
}

describe('addons install, of an add-on whose names another one of ours has', () => {
  it('is refused, and says which flag makes it take the place', async () => {
    const cluster = await withJaeger()
    const { result } = await installing(cluster, ['zipkin'])
    assert.deepEqual([result.addons[0]?.action, cluster.writes], ['refused', []])
    const [finding] = result.warnings
    assert.match(finding?.remedies.join('\n') ?? '', /install zipkin -n istio-system --replace {3}# uninstalls jaeger/)
  })

  it('with --replace uninstalls the other one, and takes its place', async () => {
    const cluster = await withJaeger('prometheus')
    const { result } = await installing(cluster, ['zipkin'], REPLACE)
    assert.deepEqual(
      result.addons.map(({ name, action, reason, version }) => [name, action, reason, version]),
      [
        ['zipkin', 'installed', undefined, '3.4.0'],
        ['jaeger', 'replaced', 'zipkin takes its place', '2.17.0'],
      ],
    )
    assert.deepEqual(
      result.warnings.map(({ code, severity }) => [code, severity]),
      [['ADDON_REPLACED', 'notes']],
    )
    assert.deepEqual(owners(cluster), new Set(['prometheus', 'zipkin']))
    assert.deepEqual(recorded(cluster), ['prometheus', 'zipkin'])
    const [first, second] = cluster.writes.map(({ verb, object }) => `${verb} ${object}`)
    assert.deepEqual([first, second], ['apply ConfigMap/kubectl-telemetry-addons', 'delete Deployment/jaeger'])
    const tracing = cluster.objects.find(({ metadata }) => metadata.name === 'tracing')
    assert.equal((tracing?.spec as { selector: { app: string } }).selector.app, 'zipkin')
    const again = await installing(cluster, ['zipkin'], REPLACE)
    assert.deepEqual(
      again.result.objects.filter(({ action }) => action !== 'unchanged'),
      [],
    )
  })

  it('leaves nothing when either is uninstalled afterwards', async () => {
    for (const words of [['zipkin'], ['jaeger', 'zipkin'], [...SAMPLE_NAMES]]) {
      const cluster = await withJaeger()
      await installing(cluster, ['zipkin'], REPLACE)
      await uninstalling(cluster, ['jaeger'])
      assert.deepEqual(owners(cluster), new Set(['zipkin']))
      await uninstalling(cluster, words)
      assert.deepEqual(titles(cluster.objects), titles(mesh().objects))
    }
  })

  it('says before the question what happens to the other one, and changes nothing after a no', async () => {
    const cluster = await withJaeger('kiali')
    const needs = needsOf(cluster, { 'Install zipkin into namespace istio-system?': false })
    const request = { samples: requireSamples(['zipkin']), timeout: 1, yes: false, dryRun: 'none', ...REPLACE } as const
    const { result } = await install(request, needs)
    assert.deepEqual([result.outcome, cluster.writes], ['declined', []])
    const [remark = '', ...lines] = needs.terminal.notes
    assert.match(remark, /^zipkin takes names of jaeger in namespace istio-system, so jaeger is uninstalled: all/)
    assert.match(remark, /Kiali asked jaeger, and shows no traces until it is installed again$/)
    assert.ok(lines.some((line) => /Deployment istio-system\/jaeger: delete, its pods stop/.test(line)))
  })

  it('shows the same in a dry run', async () => {
    const cluster = await withJaeger()
    for (const dryRun of ['client', 'server'] as const) {
      const { result } = await installing(cluster, ['zipkin'], { ...REPLACE, dryRun })
      assert.deepEqual(
        result.objects.filter(({ action }) => action === 'deleted').map(({ kind }) => kind),
        ['Deployment', 'Service', 'ConfigMap'],
      )
      assert.equal(result.objects.filter(({ name }) => name === 'kubectl-telemetry-addons').length, 1)
      assert.deepEqual(cluster.writes, [])
    }
  })

  it('configures a Kiali of the same command for what is there then', async () => {
    const cluster = await withJaeger('kiali')
    const tracing = () =>
      /tracing:\n(?: {4}.*\n)*? {4}enabled: (\w+)/.exec(
        String(
          (
            cluster.objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'kiali')?.data as {
              'config.yaml': string
            }
          )['config.yaml'],
        ),
      )?.[1]
    assert.equal(tracing(), 'true')
    const { result } = await installing(cluster, ['kiali', 'zipkin'], REPLACE)
    assert.equal(tracing(), 'false')
    assert.doesNotMatch(result.warnings.map(({ message }) => message).join(), /Kiali asked/)
    const restarted = cluster.writes.map(({ object }) => object)
    assert.ok(restarted.includes('Deployment/kiali'), 'Kiali reads its configuration when it starts')
  })

  it('takes no place that nobody asked for: without names, of an add-on of the same command, or of others', async () => {
    const zipkin = mesh()
    await installing(zipkin, ['zipkin'])
    const unnamed = await installing(zipkin, undefined, { ...REPLACE, dryRun: 'client' })
    assert.equal(unnamed.result.addons.find(({ name }) => name === 'jaeger')?.action, 'refused')
    const both = await installing(await withJaeger(), ['jaeger', 'zipkin'], REPLACE)
    assert.deepEqual(
      both.result.addons.map(({ action }) => action),
      ['unchanged', 'refused'],
    )
    const theirs = mesh(service('istio-system', 'tracing', {}, { selector: { app: 'x' }, ports: [{ port: 80 }] }))
    const others = await installing(theirs, ['zipkin'], REPLACE)
    assert.deepEqual([others.result.addons[0]?.action, theirs.writes], ['refused', []])
    assert.doesNotMatch(others.result.warnings[0]?.remedies.join() ?? '', /--replace/)
  })

  it('gives one place to one add-on', async () => {
    const { result } = await installing(await withJaeger(), ['zipkin', 'skywalking'], REPLACE)
    assert.deepEqual(
      result.addons.map(({ name, action }) => [name, action]),
      [
        ['zipkin', 'installed'],
        ['skywalking', 'refused'],
        ['jaeger', 'replaced'],
      ],
    )
  })

  it('is refused as long as the other one is exposed, or scraped over mutual TLS', async () => {
    for (const change of [
      (cluster: RollingCluster) =>
        cluster.objects.push(route('istio-ingress', 'tracing.istio-system.svc.cluster.local')),
      ({ objects }: RollingCluster) =>
        Object.assign(objects.find(({ metadata }) => metadata.name === 'tracing')?.metadata.labels ?? {}, {
          'kubectl-telemetry/scraping': 'true',
        }),
    ]) {
      const cluster = await withJaeger()
      change(cluster)
      await assert.rejects(installing(cluster, ['zipkin'], REPLACE), ({ code, suggestions }) => {
        assert.match(
          suggestions.join(),
          /^kubectl telemetry (addons uninstall jaeger -n istio-system|cleanup --scraping) /,
        )
        return code === 'REPLACED_IN_USE'
      })
      assert.deepEqual(cluster.writes, [])
    }
    const elsewhere = await withJaeger()
    elsewhere.objects.push(route('x', 'tracing.other.svc.cluster.local'), { ...route('x', ''), spec: null } as never)
    assert.equal((await installing(elsewhere, ['zipkin'], REPLACE)).result.addons[0]?.action, 'installed')
  })

  it('does not believe the record: only objects with our labels are deleted', async () => {
    const cluster = await withJaeger('prometheus')
    const record = cluster.objects.find(({ metadata }) => metadata.name === 'kubectl-telemetry-addons')
    const data = record?.data as Record<string, string>
    const planted = JSON.parse(data.prometheus ?? '') as { objects: string[] }
    data.prometheus = JSON.stringify({ ...planted, objects: [...planted.objects, 'Service/tracing'] })
    await installing(cluster, ['zipkin'], REPLACE)
    assert.deepEqual(owners(cluster), new Set(['prometheus', 'zipkin']))
    assert.deepEqual(recorded(cluster), ['prometheus', 'zipkin'])
  })
})
