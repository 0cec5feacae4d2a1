import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parse } from 'yaml'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { CONFIG_MAPS, DEPLOYMENTS } from '../../src/cluster/resources.ts'
import { UserError } from '../../src/errors.ts'
import { QUICK_START, SAMPLE_NAMES } from '../../src/installing/catalog.ts'
import { succeeded } from '../../src/installing/result.ts'
import { RollingCluster } from '../fakes/workloads.ts'
import { deployment, installing, istiod, mesh, namespace } from './installing.ts'

function ending(name: string): KubeObject {
  return { ...namespace(name), metadata: { name, deletionTimestamp: '2026-11-21T12:00:00Z' } }
}

const FOUR = [...QUICK_START]

async function kialiConfiguration(cluster: RollingCluster, place = 'istio-system') {
  const object = await cluster.get(CONFIG_MAPS, { name: 'kiali', namespace: place })
  return parse((object?.data as Record<string, string>)['config.yaml'] ?? '') as {
    deployment: { namespace: string }
    login_token: { signing_key: string }
    external_services: Record<string, Record<string, unknown>>
  }
}

describe('addons install', () => {
  it('installs the samples of the running version, the record first, and waits until they are ready', async () => {
    const cluster = mesh()
    const { result } = await installing(cluster, FOUR)
    assert.deepEqual(
      result.addons.map(({ name, namespace: place, version, action, ready }) => ({
        name,
        place,
        version,
        action,
        ready,
      })),
      [
        { name: 'prometheus', version: 'v3.10.0' },
        { name: 'grafana', version: '12.0.1' },
        { name: 'kiali', version: 'v2.27' },
        { name: 'jaeger', version: '2.17.0' },
      ].map((one) => ({ ...one, place: 'istio-system', action: 'installed', ready: { ready: 1, wanted: 1 } })),
    )
    assert.equal(cluster.writes[0]?.object, 'ConfigMap/kubectl-telemetry-addons')
    assert.deepEqual([result.outcome, result.source.version, result.istio.version], ['applied', '1.31', '1.31.0'])
    assert.ok(succeeded(result))
    for (const { metadata } of cluster.objects.slice(2)) {
      assert.equal(metadata.labels?.['app.kubernetes.io/managed-by'], 'kubectl-telemetry', metadata.name)
      assert.equal(metadata.labels?.['kubectl-telemetry/part'], 'installing', metadata.name)
    }
  })

  it('changes nothing the second time', async () => {
    const cluster = mesh()
    await installing(cluster, FOUR)
    const before = structuredClone(cluster.objects)
    const { result } = await installing(cluster, FOUR, { yes: false })
    assert.deepEqual(
      result.objects.filter(({ action }) => action !== 'unchanged'),
      [],
    )
    assert.deepEqual(
      result.addons.map(({ action }) => action),
      FOUR.map(() => 'unchanged'),
    )
    assert.deepEqual(cluster.objects, before)
  })

  it('updates to the samples of another version, and keeps Kiali’s signing key', async () => {
    const old = new RollingCluster([istiod('1.30.4'), namespace('istio-system')])
    await installing(old, ['kiali'])
    const { signing_key: key } = (await kialiConfiguration(old)).login_token
    const now = new RollingCluster([istiod('1.31.0'), ...old.objects.slice(1)])
    const { result } = await installing(now, ['kiali'])
    assert.deepEqual(
      result.addons.map(({ version, action }) => [version, action]),
      [['v2.27', 'updated']],
    )
    assert.equal((await kialiConfiguration(now)).login_token.signing_key, key)
    assert.match(key, /^[0-9a-f]{32}$/)
  })

  const theirs = deployment('monitoring', 'my-grafana', 'registry.example/grafana/grafana:11.2.0')

  it('leaves an add-on of others as it is, wherever it runs, unless it is named', async () => {
    const { result } = await installing(mesh(theirs), undefined)
    const of = (name: string) => result.addons.find((one) => one.name === name)
    const { namespace: place, version, action } = of('grafana') ?? {}
    assert.deepEqual([place, version, action, of('kiali')?.action], ['monitoring', '11.2.0', 'present', 'installed'])
  })

  it('installs a named one beside it: any tenant may run one in a namespace of its own', async () => {
    const { result } = await installing(mesh(theirs), ['grafana'])
    assert.deepEqual(
      [result.addons[0]?.action, result.warnings.map(({ code }) => code)],
      ['installed', ['ADDON_RUNS_TWICE']],
    )
  })

  it('leaves an add-on of others in the same namespace as it is, also when it is named', async () => {
    const cluster = mesh(deployment('istio-system', 'my-grafana', 'grafana/grafana:11.2.0'))
    const { result } = await installing(cluster, ['grafana'])
    assert.deepEqual([result.addons[0]?.action, cluster.writes], ['present', []])
  })

  it('refuses an add-on whose names others have, and installs the rest', async () => {
    const cluster = mesh()
    await installing(cluster, ['jaeger'])
    const { result } = await installing(cluster, ['zipkin', 'prometheus'])
    assert.deepEqual(
      result.addons.map(({ name, action }) => [name, action]),
      [
        ['prometheus', 'installed'],
        ['zipkin', 'refused'],
      ],
    )
    const [finding] = result.warnings
    assert.equal(finding?.code, 'ADDON_NAMES_TAKEN')
    assert.match(finding?.message ?? '', /Service tracing, Service zipkin/)
    assert.ok(!succeeded(result))
  })

  it('refuses the second of two add-ons with the same names in one command', async () => {
    const cluster = mesh()
    const { result } = await installing(cluster, ['jaeger', 'zipkin'])
    assert.deepEqual(
      result.addons.map(({ name, action }) => [name, action]),
      [
        ['jaeger', 'installed'],
        ['zipkin', 'refused'],
      ],
    )
    const owners = cluster.objects.filter(({ metadata }) => metadata.name === 'tracing')
    assert.deepEqual(
      owners.map(({ metadata }) => metadata.labels?.['kubectl-telemetry/installed']),
      ['jaeger'],
    )
    const second = await installing(cluster, ['jaeger', 'zipkin'])
    assert.deepEqual(
      second.result.addons.map(({ action }) => action),
      ['unchanged', 'refused'],
    )
  })

  it('puts everything into the namespace of -n, with its bindings and addresses', async () => {
    const cluster = mesh(namespace('telemetry'))
    await installing(
      cluster,
      [...SAMPLE_NAMES].filter((name) => name !== 'zipkin' && name !== 'skywalking'),
      {
        namespace: 'telemetry',
      },
    )
    const inPlaces = new Set(cluster.objects.slice(3).map(({ metadata }) => metadata.namespace))
    assert.deepEqual([...inPlaces].sort(), ['telemetry', undefined])
    const texts = cluster.objects.slice(3).map((object) => JSON.stringify({ ...object, metadata: {} }))
    // Kiali's root namespace and the dashboard of istiod are istiod's, and so is the name of OpenShift's client.
    const others = /root_namespace: istio-system|Istio Performance Dashboard|kiali-istio-system/
    const elsewhere = texts.filter((text) => text.includes('istio-system') && !others.test(text))
    assert.deepEqual(
      elsewhere.map((text) => text.slice(0, 200)),
      [],
    )
  })

  it('tells Kiali which add-ons there are', async () => {
    const alone = mesh()
    const { result } = await installing(alone, ['kiali'])
    assert.deepEqual(
      result.warnings.map(({ code }) => code),
      ['KIALI_WITHOUT_PROMETHEUS'],
    )
    const without = (await kialiConfiguration(alone)).external_services
    assert.deepEqual([without.grafana?.enabled, without.tracing?.enabled], [false, false])
    const all = mesh()
    await installing(all, FOUR)
    assert.deepEqual((await installing(all, ['kiali'])).result.warnings, [])
    const { external_services: services, deployment: place } = await kialiConfiguration(all)
    assert.equal(services.prometheus?.url, 'http://prometheus.istio-system:9090')
    assert.equal(services.grafana?.internal_url, 'http://grafana.istio-system:3000')
    assert.equal(services.tracing?.internal_url, 'http://tracing.istio-system:16685/jaeger')
    assert.equal(place.namespace, 'istio-system')
  })

  it('reports an add-on that does not become ready, and why; the others are ready', async () => {
    const cluster = mesh()
    cluster.stuck.add('grafana')
    const { result } = await installing(cluster, ['grafana', 'prometheus'])
    assert.deepEqual(
      result.addons.map(({ name, reason }) => [name, reason !== undefined]),
      [
        ['prometheus', false],
        ['grafana', true],
      ],
    )
    assert.deepEqual(
      result.warnings.map(({ code }) => code),
      ['ROLLOUT_FAILED'],
    )
    assert.ok(!succeeded(result))
  })

  for (const dryRun of ['client', 'server'] as const)
    it(`writes nothing with --dry-run=${dryRun}`, async () => {
      const cluster = mesh()
      const { result, manifests } = await installing(cluster, FOUR, { dryRun, yes: false })
      assert.deepEqual([result.outcome, cluster.writes], ['planned', []])
      assert.ok(manifests.length > 20)
    })

  it('asks first, and takes no for an answer', async () => {
    await assert.rejects(installing(mesh(), ['loki'], { yes: false }), { code: 'CONSENT_REQUIRED' })
  })

  it('offers all on a terminal, and asks before it writes', async () => {
    const cluster = mesh(deployment('monitoring', 'grafana', 'grafana/grafana:11.2.0'))
    const answers = {
      'Which add-ons should be installed?': ['Zipkin'],
      'Install zipkin into namespace istio-system?': false,
    }
    const { result } = await installing(cluster, undefined, { yes: false }, answers)
    assert.deepEqual([result.outcome, cluster.writes], ['declined', []])
  })

  it('without a terminal and without names takes the quick start’s', async () => {
    const { result } = await installing(mesh(), undefined, { dryRun: 'client' })
    assert.deepEqual(
      result.addons.map(({ name }) => name),
      FOUR,
    )
  })

  it('deletes what the new sample no longer has, if it is ours', async () => {
    const cluster = mesh()
    await installing(cluster, ['zipkin'])
    const record = cluster.objects.find(({ metadata }) => metadata.name === 'kubectl-telemetry-addons')
    const { zipkin = '' } = record?.data as Record<string, string>
    const claimed = JSON.parse(zipkin) as { sha256: string; objects: string[] }
    claimed.objects.push('Service/former', 'Service/users', 'Secret/other', 'Service/../x', 'nonsense')
    Object.assign(record?.data as object, { zipkin: JSON.stringify({ ...claimed, sha256: 'of an earlier one' }) })
    const service = cluster.objects.find(({ kind }) => kind === 'Service')
    const named = (name: string, labels = {}) =>
      ({ ...structuredClone(service), metadata: { name, namespace: 'istio-system', uid: name, labels } }) as KubeObject
    cluster.objects.push(named('former', service?.metadata.labels), named('users'))
    const { result } = await installing(cluster, ['zipkin'])
    const deleted = result.objects.filter(({ action }) => action === 'deleted').map(({ name }) => name)
    assert.deepEqual([deleted, result.addons[0]?.action], [['former'], 'updated'])
    assert.ok(cluster.objects.some(({ metadata }) => metadata.name === 'users'))
  })

  it('is rehearsed: what the API server refuses is found before the first write', async () => {
    const cluster = mesh()
    cluster.fail('apply', DEPLOYMENTS.plural, new UserError('FORBIDDEN', 'no'), true)
    await assert.rejects(installing(cluster, FOUR), { code: 'FORBIDDEN' })
    assert.deepEqual(cluster.writes, [])
  })

  for (const [what, cluster, request, code] of [
    ['no istiod', new RollingCluster([namespace('istio-system')]), {}, 'ISTIOD_NOT_FOUND'],
    ['two istiods', mesh(istiod('1.30.0', 'istio-old', 'canary')), {}, 'ISTIOD_AMBIGUOUS'],
    ['an unknown revision', mesh(), { revision: 'nope' }, 'ISTIOD_NOT_FOUND'],
    ['a namespace that is being deleted', mesh(ending('old')), { namespace: 'old' }, 'NAMESPACE_ENDING'],
  ] as const)
    it(`refuses ${what}`, async () => {
      await assert.rejects(installing(cluster, FOUR, request), { code })
      assert.deepEqual(cluster.writes, [])
    })

  it('warns when the package has no samples of the running version', async () => {
    const cluster = new RollingCluster([istiod('1.33.0'), namespace('istio-system')])
    const { result } = await installing(cluster, ['zipkin'])
    assert.deepEqual(
      [result.source.version, result.warnings.map(({ code }) => code)],
      ['1.31', ['SAMPLES_OF_OTHER_VERSION']],
    )
  })
})
