import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { ConfigMap } from '../../src/cluster/objects.ts'
import { hasCode, UserError } from '../../src/errors.ts'
import { renderFindings } from '../../src/rendering/findings.ts'
import { renderTracingOn } from '../../src/rendering/tracing.ts'
import { succeeded } from '../../src/tracing/result.ts'
import { service } from '../fakes/mesh.ts'
import { expectGolden } from '../golden-file.ts'
import { istiod } from '../installing/installing.ts'
import { meshOf, telemetry } from './mesh.ts'
import { exposedWorld, jaegerWithOtlp, MESH, mesh, meshText, off, on, owned, tracingWorld } from './tracing-world.ts'

const JAEGER = `extensionProviders:
- name: jaeger
  opentelemetry:
    port: 4317
    service: jaeger-collector.istio-system.svc.cluster.local
`

const telemetries = (objects: KubeObject[]) => objects.filter(({ kind }) => kind === 'Telemetry')
const codesOf = (warnings: { code: string }[]) => warnings.map(({ code }) => code)

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (one) => one as UserError,
  )
  return error?.code ?? 'no error'
}

describe('tracing on', () => {
  it('adds a provider and a Telemetry, and ends when the trace has arrived', async () => {
    const world = await exposedWorld()
    const report = await on(world, { sampling: 10 })
    expectGolden('tracing-on.txt', renderTracingOn(report, 'none', undefined, false))
    expectGolden('tracing-on-warnings.txt', renderFindings(report.result.warnings))
    expectGolden('tracing-on.json', renderTracingOn(report, 'none', 'json', false))
    assert.equal(succeeded(report.result), true)
    assert.ok(meshText(world).startsWith('defaultConfig:'))
    const [made] = telemetries(world.cluster.objects)
    assert.deepEqual(made?.spec, {
      tracing: [{ providers: [{ name: 'kubectl-telemetry' }], randomSamplingPercentage: 10 }],
    })
  })

  it('changes nothing in a second run, and proves again', async () => {
    const world = await exposedWorld()
    await on(world)
    const writes = world.cluster.writes.length
    const { result } = await on(world)
    assert.equal(world.cluster.writes.length, writes)
    assert.equal(result.proof?.ok, true)
    assert.deepEqual(codesOf(result.warnings), [])
  })

  it('gives the field of the mesh configuration back to its manager at once', async () => {
    const world = await exposedWorld()
    const edited = world.cluster.replace.bind(world.cluster)
    // As the API server does: what is written belongs to whoever writes it.
    world.cluster.replace = async (resource, object, options) => {
      if (options.dryRun || object.kind !== 'ConfigMap') return edited(resource, object, options)
      const own = {
        manager: options.manager,
        operation: 'Update',
        fieldsV1: { 'f:data': { 'f:mesh': {} }, 'f:metadata': {} },
      }
      return edited(resource, { ...object, metadata: { ...object.metadata, managedFields: [own] } }, options)
    }
    await on(world)
    const found = world.cluster.objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'istio')
    const owners = (found?.metadata.managedFields ?? []) as { manager: string; fieldsV1: object }[]
    assert.deepEqual(
      owners.map(({ manager, fieldsV1 }) => [manager, Object.keys(fieldsV1)]),
      [
        ['istio-operator', ['f:data']],
        ['istio-telemetry-tracing', ['f:metadata']],
      ],
    )
  })

  it('uses a provider that leads to the backend already', async () => {
    const world = await exposedWorld(mesh(owned(meshOf(JAEGER))))
    const { result } = await on(world, { sampling: 100 })
    assert.equal(meshText(world), JAEGER)
    assert.deepEqual(result.revisions[0]?.provider, {
      name: 'jaeger',
      kind: 'opentelemetry',
      service: 'jaeger-collector.istio-system',
      port: 4317,
      action: 'unchanged',
    })
    assert.equal(result.proof?.ok, true)
  })

  it('changes the mesh configuration of every revision, or of the named one', async () => {
    const other = [istiod('1.30.2', 'istio-system', 'old'), owned(meshOf(JAEGER, 'istio-old'))]
    const both = await exposedWorld(mesh(...other))
    const { result } = await on(both)
    assert.deepEqual(
      result.revisions.map(({ revision, provider }) => [revision, provider.name]),
      [
        ['default', 'kubectl-telemetry'],
        ['old', 'kubectl-telemetry'],
      ],
    )
    const one = await exposedWorld(mesh(...other))
    await on(one, { revision: 'default' })
    assert.equal(meshText(one, 'istio-old'), JAEGER)
    const [made] = telemetries(one.cluster.objects)
    assert.equal(made?.metadata.name, 'kubectl-telemetry-default')
    assert.equal(made?.metadata.labels?.['istio.io/rev'], 'default')
    assert.equal(await codeOf(on(one, { revision: 'new' })), 'REVISION_UNKNOWN')
  })

  it("adds its field to others' Telemetry without tracing, because istiod uses the oldest", async () => {
    const theirs = telemetry('istio-system', 'mesh-default', [])
    const { tracing: _, ...spec } = {
      ...(theirs.spec as object),
      accessLogging: [{ providers: [{ name: 'envoy' }] }],
    } as Record<string, unknown>
    const world = await exposedWorld(mesh({ ...theirs, spec }))
    const { result } = await on(world, { sampling: 5 })
    assert.deepEqual(result.telemetry, { namespace: 'istio-system', name: 'mesh-default', action: 'configured' })
    assert.equal(telemetries(world.cluster.objects).length, 1)
    await off(world)
    assert.deepEqual(telemetries(world.cluster.objects)[0]?.spec, spec)
    assert.equal(meshText(world), MESH)
  })

  it("leaves others' Telemetry about traces unchanged: it is what is wanted, or an error", async () => {
    const theirs = telemetry('istio-system', 'mesh-default', [
      { providers: [{ name: 'jaeger' }], randomSamplingPercentage: 20 },
    ])
    const world = await exposedWorld(mesh(owned(meshOf(JAEGER)), theirs))
    const { result } = await on(world)
    assert.deepEqual([result.telemetry.action, result.sampling, world.cluster.writes.length], ['unchanged', 20, 0])
    assert.equal(await codeOf(on(world, { sampling: 30 })), 'TELEMETRY_IN_FORCE')
    assert.equal(await codeOf(on(world, { sampling: 30, namespace: 'shop' })), 'no error')
    assert.equal(world.cluster.writes.length, 1)
  })

  it('says which values keep the provider, where an operator or GitOps writes the mesh configuration', async () => {
    const configMap = meshOf(JAEGER.replaceAll('jaeger', 'other'))
    const managed = (more: object): ConfigMap => ({ ...configMap, metadata: { ...configMap.metadata, ...more } })
    for (const more of [
      { ownerReferences: [{ kind: 'IstioRevision', name: 'default' }] },
      { labels: { 'kustomize.toolkit.fluxcd.io/name': 'mesh' } },
      { annotations: { 'argocd.argoproj.io/tracking-id': 'mesh:/ConfigMap:istio-system/istio' } },
    ]) {
      const world = tracingWorld(mesh(managed(more)))
      const error = await on(world).catch((one) => one as UserError)
      assert.ok(hasCode(error, 'MESH_CONFIG_MANAGED'))
      assert.match(error.suggestions.join(), /"name":"other".*"name":"kubectl-telemetry"/)
      assert.equal(world.cluster.writes.length, 0)
    }
    const helm = {
      annotations: { 'meta.helm.sh/release-name': 'istiod' },
      labels: { 'app.kubernetes.io/managed-by': 'Helm' },
    }
    const { result } = await on(tracingWorld(mesh(managed(helm))))
    assert.deepEqual(codesOf(result.warnings), ['PROVIDER_NOT_KEPT', 'TRACE_UNPROVEN'])
  })

  it('changes nothing where the mesh configuration cannot be read', async () => {
    const broken = tracingWorld(mesh(meshOf('a: 1\nb: c: d\n')))
    const error = await on(broken).catch((one) => one as UserError)
    assert.ok(hasCode(error, 'YAML_INVALID'))
    assert.match(error.message, /mesh in ConfigMap istio-system\/istio cannot be read: line 2, column 4/)
    const absent = tracingWorld(
      mesh().filter(({ kind, metadata }) => kind !== 'ConfigMap' || metadata.name !== 'istio'),
    )
    assert.equal(await codeOf(on(absent)), 'MESH_CONFIG_MISSING')
    assert.deepEqual([broken.cluster.writes, absent.cluster.writes], [[], []])
  })

  it('takes the backend that the user names, and says what is wrong with it', async () => {
    const named = (name: string, port?: number) => ({ backend: { name, namespace: 'istio-system', port } })
    const world = await exposedWorld()
    const { result } = await on(world, named('zipkin'))
    assert.equal(result.revisions[0]?.provider.kind, 'zipkin')
    assert.equal(result.proof?.ok, true)
    for (const [name, port] of [
      ['nosuch', 4317],
      ['jaeger-collector', 4444],
      ['grafana', 3000],
    ] as const)
      assert.equal(await codeOf(on(world, named(name, port))), 'TRACING_BACKEND_UNUSABLE')
  })

  it('does not send traces to a backend that only its labels vouch for', async () => {
    const without = mesh().filter(({ metadata }) => !/jaeger|tracing|zipkin/.test(metadata.name))
    const tenants = tracingWorld([...without, ...jaegerWithOtlp('tenant')])
    assert.equal(await codeOf(on(tenants)), 'TRACING_BACKEND_ELSEWHERE')
    assert.equal(tenants.cluster.writes.length, 0)
    const asked = tracingWorld([...without, ...jaegerWithOtlp('tenant')], { 'Switch tracing on?': false })
    const { result } = await on(asked, { yes: false })
    assert.equal(result.outcome, 'declined')
    assert.match(
      asked.terminal.notes.join('\n'),
      /Spans of the whole mesh go to Jaeger, Service tenant\/jaeger-collector/,
    )
    assert.equal(await codeOf(on(tracingWorld(mesh(...jaegerWithOtlp('tenant'))))), 'TRACING_BACKEND_AMBIGUOUS')
    assert.equal(await codeOf(on(tracingWorld(without))), 'TRACING_BACKEND_NOT_FOUND')
    const marked = service(
      'tenant',
      'anything',
      {},
      { selector: { app: 'x' }, ports: [{ port: 4317 }, { port: 16686 }] },
    )
    marked.metadata.annotations = { 'kubectl-telemetry/addon': 'tracing' }
    assert.equal(await codeOf(on(tracingWorld([...without, marked]))), 'TRACING_BACKEND_NOT_FOUND')
  })

  it('says that nothing was tried where nothing is exposed', async () => {
    const { result } = await on(tracingWorld())
    assert.deepEqual(codesOf(result.warnings), ['PROVIDER_NOT_KEPT', 'TRACE_UNPROVEN'])
    assert.equal(succeeded(result), true)
    const exposed = await exposedWorld()
    assert.deepEqual(codesOf((await on(exposed, { namespace: 'shop' })).result.warnings).at(-1), 'TRACE_UNPROVEN')
  })

  it('says that it was not tried where the user may not read what is exposed, or not ask the backend', async () => {
    const forbidden = () => new UserError('FORBIDDEN', 'not allowed')
    const blind = await exposedWorld()
    blind.cluster.fail('list', 'gateways', forbidden())
    const mute = await exposedWorld()
    mute.cluster.askPod = () => Promise.reject(forbidden())
    for (const world of [blind, mute])
      assert.deepEqual(codesOf((await on(world)).result.warnings), ['PROVIDER_NOT_KEPT', 'TRACE_UNPROVEN'])
  })

  it('requests the URL of the user, at the gateway where it is one of ours', async () => {
    const world = await exposedWorld()
    const { result } = await on(world, { probe: new URL('https://grafana.192.0.2.10.nip.io/d/1?x=y') })
    assert.equal(result.proof?.ok, true)
    const probed = world.prober.probed.at(-1)
    assert.deepEqual([probed?.address, probed?.path], ['192.0.2.10', '/d/1?x=y'])
    await on(world, { probe: new URL('http://shop.example.com:8080/cart') })
    const other = world.prober.probed.at(-1)
    assert.deepEqual([other?.address, other?.port, other?.authorityCertificate], ['shop.example.com', 8080, undefined])
  })

  it('warns of Sidecars that keep spans from the collector', async () => {
    const sidecar = (namespace: string, ...hosts: string[]) => ({
      apiVersion: 'networking.istio.io/v1',
      kind: 'Sidecar',
      metadata: { name: 'default', namespace },
      spec: { egress: [{ hosts }] },
    })
    const world = await exposedWorld(
      mesh(
        sidecar('narrow', './*'),
        sidecar('none', '~/*'),
        sidecar('wide', './*', 'istio-system/*'),
        sidecar('istio-system', './*'),
        sidecar('exact', '*/jaeger-collector.istio-system.svc.cluster.local'),
        sidecar('below', '*/*.istio-system.svc.cluster.local'),
      ),
    )
    const hidden = (await on(world)).result.warnings.filter(({ code }) => code === 'COLLECTOR_HIDDEN')
    assert.deepEqual(
      hidden.map(({ message }) => /Sidecar (\S+)/.exec(message)?.[1]),
      ['narrow/default', 'none/default'],
    )
  })

  it('changes nothing in a dry run', async () => {
    const world = await exposedWorld()
    for (const dryRun of ['client', 'server'] as const) {
      const report = await on(world, { dryRun, sampling: 1 })
      assert.equal(report.result.outcome, 'planned')
      if (dryRun === 'client') expectGolden('tracing-on.yaml', renderTracingOn(report, dryRun, 'yaml', false))
    }
    assert.deepEqual(world.cluster.writes, [])
  })
})

describe('a trace that does not arrive', () => {
  const PREFIX = 'outbound|4317||jaeger-collector.istio-system.svc.cluster.local'

  async function hopIn(
    admin: Record<string, string>,
    spoil: (world: Awaited<ReturnType<typeof exposedWorld>>) => void = () => {},
  ) {
    const world = await exposedWorld()
    world.cluster.podAnswers = () => ({ status: 404, body: '' })
    Object.assign(world.admin, admin)
    spoil(world)
    const { result } = await on(world)
    assert.equal(succeeded(result), false)
    const [finding] = result.warnings.filter(({ severity }) => severity === 'fails')
    assert.equal(finding?.code, 'TRACE_NOT_ARRIVED')
    return [result.proof?.hop, finding?.message.replace('the trace of the test request did not arrive: ', '')]
  }

  const LISTENERS = '/config_dump?resource=dynamic_listeners'
  const traced = { [LISTENERS]: `{"cluster_name":"${PREFIX}"}` }

  it('names the hop at which it was lost', async () => {
    assert.deepEqual(await hopIn({}), ['backend', 'Jaeger (Service istio-system/tracing) does not have it after 20 s'])
    assert.match(
      (await hopIn({ [LISTENERS]: '{}' })).join(' '),
      /^proxy the proxy of pod .* does not have the provider/,
    )
    assert.match((await hopIn({ ...traced, '/clusters': '' })).join(' '), /^collector .* has no route to Service/)
    assert.match(
      (await hopIn({ ...traced, '/clusters': `${PREFIX}::default_priority::max_connections::1\n` })).join(' '),
      /^collector .* has no endpoint/,
    )
    const failing = `${PREFIX}::10.0.0.1:4317::cx_active::0\n${PREFIX}::10.0.0.1:4317::cx_connect_fail::3\n${PREFIX}::10.0.0.1:4317::rq_success::0\n`
    assert.match((await hopIn({ ...traced, '/clusters': failing })).join(' '), /^collector .* fail$/)
    const elsewhere = await hopIn({}, ({ cluster }) => {
      const gateway = cluster.objects.find(({ metadata }) => metadata.name === 'istio-ingressgateway-xyz')
      const { containers } = gateway?.spec as { containers: { env?: object[] }[] }
      for (const one of containers) one.env = [{ name: 'CA_ADDR', value: 'istiod-old.istio-system.svc:15012' }]
    })
    assert.match(elsewhere.join(' '), /^proxy .* belongs to revision old, where tracing was not switched on/)
    const works = failing.replace('rq_success::0', 'rq_success::4')
    assert.match((await hopIn({ ...traced, '/clusters': works })).join(' '), /^backend/)
  })

  it('names the backend that cannot be asked, and the request that did not get through', async () => {
    const refusing = await hopIn({}, ({ cluster }) => {
      cluster.podAnswers = () => ({ failed: 'connection refused' })
    })
    assert.match(refusing.join(' '), /^backend Jaeger .* cannot be asked: connection refused/)
    const lost = await hopIn({}, ({ prober }) => {
      prober.answers = [
        { ok: false, hop: 'tcp', message: 'no connection to 192.0.2.10 port 443: ECONNREFUSED', milliseconds: 1 },
      ]
    })
    assert.match(lost.join(' '), /^request the request to https:\S+ did not get through: no connection to/)
  })
})
