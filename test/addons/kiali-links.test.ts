import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { ConfigMap, Deployment } from '../../src/cluster/objects.ts'
import { SCRAPING } from '../../src/cluster/ownership.ts'
import { DEPLOYMENTS, typeOf } from '../../src/cluster/resources.ts'
import { interrupted } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import { DOMAIN, refusal, requestFor, world, written } from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, jaeger, kiali, kialiDeployment, service } from '../fakes/mesh.ts'

const LINK = { ...requestFor('grafana', 'tracing'), link: true }
const CLEAN = { addons: requireAddons([]), yes: true, dryRun: 'none' } as const

const mesh = () => world([...grafana(), ...ingressGateway(), ...jaeger(), ...kiali(), kialiDeployment()])
const one = <T>({ cluster }: FakeWorld, wanted: string) =>
  cluster.objects.find(({ kind, metadata }) => kind === wanted && metadata.name === 'kiali') as T
const configMap = (world: FakeWorld) => one<ConfigMap>(world, 'ConfigMap')
const text = (world: FakeWorld) => configMap(world).data?.['config.yaml'] ?? ''
const marks = (world: FakeWorld) => one<Deployment>(world, 'Deployment').spec.template.metadata.annotations
/** Without versions. */
const state = (world: FakeWorld) => {
  const { resourceVersion: _, labels = {}, annotations = {}, ...metadata } = configMap(world).metadata
  return { ...configMap(world), metadata: { ...metadata, labels, annotations }, restarted: marks(world) }
}

describe('expose --link', () => {
  it('sets the addresses in Kiali’s ConfigMap, then restarts Kiali, which need not be exposed', async () => {
    const world = mesh()
    const { result } = await expose(LINK, world)
    assert.match(text(world), new RegExp(`external_url: https://grafana.${DOMAIN}/\n`))
    assert.match(text(world), new RegExp(`external_url: https://tracing.${DOMAIN}/jaeger/\n`))
    assert.deepEqual(written(world).slice(-2), ['ConfigMap/kiali', 'Deployment/kiali'])
    assert.equal(Object.keys(marks(world) ?? {}).length, 2)
    assert.deepEqual(
      result.objects.slice(-2).map(({ kind, action }) => [kind, action]),
      [
        ['ConfigMap', 'configured'],
        ['Deployment', 'configured'],
      ],
    )
  })

  it('changes nothing the second time', async () => {
    const world = mesh()
    await expose(LINK, world)
    world.cluster.writes.length = 0
    await expose(LINK, world)
    assert.deepEqual(written(world), [])
  })

  it('links to earlier exposures too, and follows another domain', async () => {
    const world = mesh()
    await expose(requestFor('grafana'), world)
    await expose({ ...requestFor('tracing'), link: true }, world)
    assert.match(text(world), /external_url: https:\/\/grafana/)
    await expose({ ...LINK, domain: 'example.com' }, world)
    assert.match(text(world), /external_url: https:\/\/grafana.example.com\//)
    assert.doesNotMatch(text(world), /nip\.io/)
  })

  it('shows both changes in the question', async () => {
    const questioned = world(mesh().cluster.objects, { 'Expose https://grafana.192.0.2.10.nip.io/?': false })
    await expose({ ...requestFor('grafana'), link: true, yes: false }, questioned)
    assert.deepEqual(questioned.terminal.notes.slice(-2), [
      '  ConfigMap istio-system/kiali: change',
      '  Deployment istio-system/kiali: restart',
    ])
  })

  const OFF = 'external_services:\n  tracing:\n    enabled: false\n'
  const withTracing = (...tracing: KubeObject[]) =>
    world([...grafana(), ...ingressGateway(), ...tracing, ...kiali('istio-system', OFF), kialiDeployment()])
  const zipkin = (labels = { app: 'zipkin' }) =>
    service('istio-system', 'tracing-ui', labels, { selector: labels, ports: [{ port: 9411, targetPort: 9411 }] })

  it('switches tracing on where Jaeger is, which the question says; cleanup restores the text', async () => {
    const off = withTracing(...jaeger())
    const asked = world(off.cluster.objects, { 'Expose these add-ons?': false })
    await expose({ ...LINK, yes: false }, asked).catch(() => {})
    assert.match(
      asked.terminal.notes.join('\n'),
      /ConfigMap istio-system\/kiali: change, switches tracing on, with Jaeger/,
    )
    const { result } = await expose(LINK, off)
    assert.deepEqual(result.warnings, [])
    assert.match(text(off), /enabled: true/)
    assert.match(text(off), /internal_url: http:\/\/tracing\.istio-system:16685\/jaeger\n/)
    await cleanup(CLEAN, off)
    assert.equal(text(off), OFF)
  })

  it('changes nothing the second time when tracing was switched on', async () => {
    const off = withTracing(...jaeger())
    await expose(LINK, off)
    off.cluster.writes.length = 0
    await expose(LINK, off)
    assert.deepEqual(written(off), [])
  })

  it('notes which links Kiali will not show: Zipkin is no provider of Kiali, and another namespace may be a tenant’s', async () => {
    for (const off of [withTracing(zipkin()), withTracing(...jaeger('tracing'))]) {
      const { result } = await expose(LINK, off)
      assert.deepEqual(
        result.warnings.map(({ code }) => code),
        ['LINK_HIDDEN'],
      )
      assert.match(text(off), /enabled: false/)
    }
  })

  it('writes the keys of the Kiali that runs', async () => {
    const old = mesh()
    const [container] = one<Deployment>(old, 'Deployment').spec.template.spec.containers
    Object.assign(container ?? {}, { image: 'quay.io/kiali/kiali:v1.89.3' })
    await expose(LINK, old)
    assert.match(text(old), new RegExp(`\n    url: https://grafana.${DOMAIN}/\n`))
    assert.doesNotMatch(text(old), /external_url|internal_url/)
    await cleanup(CLEAN, old)
    assert.equal(text(old), text(mesh()))
  })

  it('refuses before the first write when it cannot set links', async () => {
    const operated = mesh()
    configMap(operated).metadata.ownerReferences = [{ kind: 'Kiali' }]
    const bare = world([...grafana(), ...ingressGateway(), ...jaeger(), ...kiali()])
    for (const world of [operated, bare]) {
      assert.equal((await refusal(expose(LINK, world))).code, 'LINK_IMPOSSIBLE')
      assert.deepEqual(written(world), [])
    }
    const without = world([...grafana(), ...ingressGateway(), ...jaeger()])
    assert.equal((await refusal(expose(LINK, without))).code, 'ADDON_NOT_FOUND')
  })
})

describe('cleanup of links', () => {
  it('restores the ConfigMap byte for byte with its owners, then restarts Kiali, then removes the record', async () => {
    const world = mesh()
    configMap(world).metadata.managedFields = [{ manager: 'helm', operation: 'Update' }]
    const before = state(world)
    await expose(LINK, world)
    world.cluster.writes.length = 0
    const result = await cleanup(CLEAN, world)
    assert.deepEqual(state(world), before)
    assert.deepEqual(written(world).slice(0, 3), ['ConfigMap/kiali', 'Deployment/kiali', 'ConfigMap/kiali'])
    assert.deepEqual(
      result.restored.map(({ kind, name }) => `${kind}/${name}`),
      ['ConfigMap/kiali', 'Deployment/kiali'],
    )
  })

  it('keeps other changes of kubectl telemetry to Kiali’s pods, such as those for scraping', async () => {
    const world = mesh()
    const { name, namespace } = one<Deployment>(world, 'Deployment').metadata
    const annotations = { 'prometheus.istio.io/secure-port': '15092' }
    const scraped = {
      ...typeOf(DEPLOYMENTS),
      metadata: { name, namespace: namespace ?? '' },
      spec: { template: { metadata: { annotations } } },
    }
    await world.cluster.apply(DEPLOYMENTS, scraped, SCRAPING)
    const before = marks(world)
    assert.equal(before?.['prometheus.istio.io/secure-port'], '15092')
    await expose(LINK, world)
    assert.equal(marks(world)?.['prometheus.istio.io/secure-port'], '15092')
    await cleanup(CLEAN, world)
    assert.deepEqual(marks(world), before)
  })

  it('keeps later edits of the user', async () => {
    const world = mesh()
    await expose(LINK, world)
    const edited = text(world).replace('anonymous', 'token')
    configMap(world).data = { 'config.yaml': edited }
    await cleanup(CLEAN, world)
    assert.match(text(world), /strategy: token/)
    assert.doesNotMatch(text(world), /external_url/)
  })

  it('is completed by a second run after an interruption between any two writes', async () => {
    const before = state(mesh())
    for (const [verb, plural] of [
      ['apply', 'deployments'],
      ['replace', 'configmaps'],
      ['delete', 'gateways'],
    ] as const) {
      const world = mesh()
      await expose(LINK, world)
      world.cluster.failOnce(verb, plural, interrupted())
      await assert.rejects(cleanup(CLEAN, world))
      await cleanup(CLEAN, world)
      assert.deepEqual(state(world).data, before.data)
      assert.deepEqual(state(world).restarted, before.restarted)
      assert.deepEqual(state(world).metadata.labels, {})
    }
  })

  it('of one add-on removes the links if it is linked, and keeps them otherwise', async () => {
    const world = mesh()
    await expose({ ...requestFor('grafana', 'kiali'), link: true }, world)
    await expose(requestFor('tracing'), world)
    await cleanup({ ...CLEAN, addons: requireAddons(['tracing']) }, world)
    assert.match(text(world), /external_url/)
    await cleanup({ ...CLEAN, addons: requireAddons(['grafana']) }, world)
    assert.doesNotMatch(text(world), /external_url/)
  })
})
