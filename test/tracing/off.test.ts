import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { hasCode, UserError } from '../../src/errors.ts'
import { renderCleanup } from '../../src/rendering/cleanup.ts'
import { tracingStatus } from '../../src/tracing/status.ts'
import type { FakeCluster } from '../fakes/fake-cluster.ts'
import { killedAfter } from '../fakes/killed.ts'
import { expectGolden } from '../golden-file.ts'
import { istiod } from '../installing/installing.ts'
import { meshOf, telemetry } from './mesh.ts'
import { exposedWorld, jaegerWithOtlp, mesh, meshText, off, on, owned, request, tracingWorld } from './tracing-world.ts'

/** That of the fake clock. */
const NOW = new Date('2026-11-21T12:00:00Z')

const codesOf = (warnings: { code: string }[]) => warnings.map(({ code }) => code)

/** What is compared: everything but what the API server counts, in any order. */
function state({ objects }: FakeCluster): string[] {
  return objects
    .map(({ metadata: { uid: _u, resourceVersion: _r, ...metadata }, ...rest }: KubeObject) =>
      JSON.stringify({ ...rest, metadata: without(metadata) }),
    )
    .sort()
}

/** An empty map of labels is none, and so is an empty list of owners. */
function without({ labels, annotations, managedFields, ...metadata }: KubeObject['metadata']): object {
  const filled = (map: object | undefined) => (Object.keys(map ?? {}).length === 0 ? undefined : map)
  return { ...metadata, labels: filled(labels), annotations: filled(annotations), managedFields: filled(managedFields) }
}

describe('tracing off', () => {
  it('removes the Telemetry first, and restores the mesh configuration', async () => {
    const world = await exposedWorld()
    const before = state(world.cluster)
    await on(world)
    world.cluster.writes.length = 0
    const result = await off(world)
    expectGolden('tracing-off.txt', renderCleanup(result, 'none', undefined, true))
    assert.equal(world.cluster.writes[0]?.verb, 'delete')
    assert.deepEqual(state(world.cluster), before)
    assert.equal(renderCleanup(await off(world), 'none', undefined, true), 'nothing to remove')
  })

  for (const dryRun of [true, false])
    it(`restores it although somebody writes into it at that moment: ${dryRun ? 'the rehearsal' : 'the write'}`, async () => {
      const world = await exposedWorld()
      const before = state(world.cluster)
      await on(world)
      world.cluster.failOnce('replace', 'configmaps', new UserError('CONFLICT', 'it has been modified'), dryRun)
      const { warnings, remaining } = await off(world)
      assert.deepEqual([warnings, remaining], [[], []])
      assert.deepEqual(state(world.cluster), before)
    })

  it('keeps what the user has changed in the mesh configuration since', async () => {
    const world = await exposedWorld()
    await on(world)
    const found = world.cluster.objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'istio')
    const data = found?.data as Record<string, string>
    data.mesh = `accessLogFile: /dev/stdout\n${data.mesh}`
    await off(world)
    assert.doesNotMatch(meshText(world), /kubectl-telemetry/)
    assert.match(meshText(world), /^accessLogFile/)
  })

  it('leaves a mesh configuration that is no YAML any more unchanged, and says so', async () => {
    const world = await exposedWorld()
    await on(world)
    const found = world.cluster.objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'istio')
    ;(found?.data as Record<string, string>).mesh += 'a: b: c\n'
    const result = await off(world)
    assert.deepEqual(codesOf(result.warnings), ['YAML_INVALID'])
    assert.equal(result.remaining.length, 1)
  })

  it('lets one namespace of a traced mesh report no spans, and takes that back with the rest', async () => {
    const world = await exposedWorld()
    await on(world)
    await off(world, { namespace: 'payments' })
    const { namespaces } = await tracingStatus(world.cluster, NOW)
    assert.deepEqual(
      namespaces.map(({ namespace, sent, received }) => [namespace, sent, received]),
      [
        ['', true, true],
        ['payments', false, false],
      ],
    )
    await on(world, { namespace: 'payments', sampling: 50 })
    assert.equal((await tracingStatus(world.cluster, NOW)).namespaces[1]?.sampling, 50)
    await off(world, { namespace: 'payments' })
    await off(world)
    assert.deepEqual(
      (await tracingStatus(world.cluster, NOW)).problems.map(({ code }) => code),
      ['TRACING_OFF'],
    )
  })

  it('removes the provider with the last Telemetry that names it', async () => {
    const world = await exposedWorld()
    await on(world, { namespace: 'shop' })
    await on(world, { namespace: 'bar' })
    await off(world, { namespace: 'shop' })
    assert.match(meshText(world), /kubectl-telemetry/)
    await off(world, { namespace: 'bar' })
    assert.doesNotMatch(meshText(world), /kubectl-telemetry/)
  })

  it('says what others still trace', async () => {
    const provider =
      'extensionProviders: [{name: jaeger, opentelemetry: {service: jaeger-collector.istio-system.svc.cluster.local, port: 4317}}]\n'
    const theirs = telemetry('istio-system', 'mesh-default', [{ providers: [{ name: 'jaeger' }] }])
    const world = await exposedWorld(mesh(owned(meshOf(provider)), theirs))
    const result = await off(world)
    assert.deepEqual(codesOf(result.warnings), ['TRACING_REMAINS'])
    assert.deepEqual(world.cluster.writes, [])
  })

  it('asks before it changes anything', async () => {
    const question = 'Switch tracing off in these 2 objects?'
    const world = await exposedWorld(mesh(), { [question]: false })
    await on(world)
    world.cluster.writes.length = 0
    assert.equal((await off(world, { yes: false })).outcome, 'declined')
    assert.deepEqual(world.cluster.writes, [])
  })
})

describe('tracing, killed after any single write', () => {
  const other = [istiod('1.30.2', 'istio-system', 'old'), owned(meshOf('rootNamespace: istio-system\n', 'istio-old'))]

  for (const [title, objects] of [
    ['one revision', mesh()],
    ['two revisions', mesh(...other)],
    ["others' Telemetry", mesh({ ...telemetry('istio-system', 'mesh-default', []), spec: { metrics: [] } })],
  ] as const)
    it(`is completed by the same command, and undone without a difference: ${title}`, async () => {
      const count = async (work: (world: Awaited<ReturnType<typeof exposedWorld>>) => Promise<unknown>) => {
        const world = await exposedWorld(structuredClone(objects))
        await on(world)
        world.cluster.writes.length = 0
        await work(world)
        return world.cluster.writes.length
      }
      const start = await exposedWorld(structuredClone(objects))
      const untouched = state(start.cluster)
      await on(start)
      const wanted = state(start.cluster)
      for (let writes = 0; writes < start.cluster.writes.length; writes++) {
        const world = await exposedWorld(structuredClone(objects))
        await assert.rejects(on({ ...world, cluster: killedAfter(writes, world.cluster) }), /killed/)
        const undone = tracingWorld(structuredClone(world.cluster.objects))
        await off(undone)
        assert.deepEqual(state(undone.cluster), untouched, `off after ${writes} writes of on`)
        await on(world)
        assert.deepEqual(state(world.cluster), wanted, `on after ${writes} writes`)
        await off(world)
        assert.deepEqual(state(world.cluster), untouched, `both after ${writes} writes`)
      }
      const ofOff = await count(off)
      for (let writes = 0; writes < ofOff; writes++) {
        const world = await exposedWorld(structuredClone(objects))
        await on(world)
        world.cluster.writes.length = 0
        await assert.rejects(off({ ...world, cluster: killedAfter(writes, world.cluster) }), /killed/)
        await off(world)
        assert.deepEqual(state(world.cluster), untouched, `off after ${writes} writes`)
      }
    })
})

describe('what tenants write about tracing', () => {
  const claimed = (namespace: string, name: string, spec: object): KubeObject => ({
    apiVersion: 'telemetry.istio.io/v1',
    kind: 'Telemetry',
    metadata: {
      name,
      namespace,
      labels: { 'app.kubernetes.io/managed-by': 'kubectl-telemetry', 'kubectl-telemetry/part': 'tracing' },
    },
    spec,
  })

  it('is not deleted by its labels alone', async () => {
    const world = tracingWorld(
      mesh(
        claimed('tenant', 'mine', { tracing: [{}] }),
        claimed('tenant', 'kubectl-telemetry', { tracing: [{}], accessLogging: [{}] }),
        claimed('other', 'kubectl-telemetry', { selector: { matchLabels: { app: 'x' } }, tracing: [{}] }),
      ),
    )
    const result = await off(world)
    assert.deepEqual(codesOf(result.warnings), ['OBJECT_NOT_TRUSTED', 'OBJECT_NOT_TRUSTED', 'OBJECT_NOT_TRUSTED'])
    assert.deepEqual(world.cluster.writes, [])
  })

  it('does not lead a record elsewhere: only a ConfigMap that istiod may read is restored', async () => {
    const record = JSON.stringify({
      fields: [
        { path: ['data', 'mesh'], existed: 2, before: { value: 'evil: 1' }, after: 'x', part: 'tracing-provider' },
      ],
      managedFields: [],
    })
    const map = (name: string, text: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name,
        namespace: 'tenant',
        labels: { 'kubectl-telemetry/tracing': 'true' },
        annotations: { 'kubectl-telemetry/before-tracing': text },
      },
      data: { mesh: 'a: 1' },
    })
    const world = tracingWorld(mesh(map('app', record), map('istio', '{"fields":"x"}')))
    const result = await off(world)
    assert.deepEqual(codesOf(result.warnings), ['OBJECT_NOT_TRUSTED', 'OBJECT_NOT_TRUSTED'])
    assert.deepEqual(world.cluster.writes, [])
  })

  it('is no control plane: a Deployment with its labels vouches for no backend, and names no root namespace', async () => {
    const fake = [
      istiod('1.31.0', 'tenant'),
      { ...meshOf('rootNamespace: tenant\n'), metadata: { name: 'istio', namespace: 'tenant' } },
    ]
    const without = mesh().filter(({ metadata }) => !/jaeger|tracing|zipkin/.test(metadata.name))
    const webhook: KubeObject = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: 'istio-sidecar-injector' },
      webhooks: [{ clientConfig: { service: { name: 'istiod', namespace: 'istio-system' } } }],
    }
    const world = tracingWorld([...without, ...fake, ...jaegerWithOtlp('tenant'), webhook])
    await assert.rejects(on(world), (error) => hasCode(error, 'TRACING_BACKEND_ELSEWHERE'))
    const vouched = tracingWorld([...mesh(), ...fake, webhook])
    assert.equal((await on(vouched)).result.telemetry.namespace, 'istio-system')
    await assert.rejects(on(tracingWorld([...mesh(), ...fake])), (error) => hasCode(error, 'ISTIODS_APART'))
  })

  it('is a name that others have: nothing is written', async () => {
    const taken = telemetry('shop', 'kubectl-telemetry', [], { selector: { matchLabels: { app: 'x' } } })
    const world = tracingWorld(mesh(taken))
    await assert.rejects(on(world, { ...request, namespace: 'shop' }), /was created by something other/)
    assert.deepEqual(world.cluster.writes, [])
  })
})
