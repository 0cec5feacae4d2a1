import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { uninstall } from '../../src/cleaning/uninstall.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { INSTALLING, isOwnedBy } from '../../src/cluster/ownership.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { ExposeRequest } from '../../src/exposing/request.ts'
import { requireSamples, SAMPLE_NAMES } from '../../src/installing/catalog.ts'
import { certificateHosts, gatewayHosts, hosts, request } from '../exposing/exposing.ts'
import type { FakeCluster } from '../fakes/fake-cluster.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { type FakeWorld, fakeWorld } from '../fakes/fake-world.ts'
import { killedAfter } from '../fakes/killed.ts'
import { grafana, ingressGateway, kiali, kialiDeployment } from '../fakes/mesh.ts'
import { fieldsOf } from '../fakes/server-side-apply.ts'
import { RollingCluster } from '../fakes/workloads.ts'
import { installing, mesh, needsOf, SAMPLES, uninstalling } from '../installing/installing.ts'

const ALL = [...SAMPLE_NAMES]
const titles = (objects: readonly KubeObject[]) =>
  objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`).sort()

/** The fake writes our own objects without managers; exposing shares some of these. */
function withManagers({ objects }: FakeCluster): void {
  for (const object of objects.filter((one) => isOwnedBy(one, INSTALLING)))
    object.metadata.managedFields = [
      { manager: INSTALLING.manager, operation: 'Apply', fieldsV1: fieldsOf({ ...object, metadata: {} as never }) },
    ]
}

/** Each state in which a killed run may leave the cluster is completed by the next run. @returns how many */
async function afterEachKill(
  before: FakeWorld,
  check: (cluster: RollingCluster, writes: number) => void,
): Promise<number> {
  const copy = () => new RollingCluster(structuredClone(before.cluster.objects))
  const run = (cluster: RollingCluster) =>
    uninstall({ samples: requireSamples(ALL), yes: true, dryRun: 'none' }, { ...before, cluster, samples: SAMPLES })
  const whole = copy()
  await run(whole)
  check(whole, whole.writes.length)
  // After the first add-on's Deployment no exposure is left: test/installing/uninstall.test.ts has the rest.
  const last = whole.writes.findIndex(({ verb, object }) => verb === 'delete' && object === 'Deployment/jaeger') + 1
  for (let writes = 1; writes <= last; writes++) {
    const cluster = copy()
    await assert.rejects(run(killedAfter(writes, cluster)), /killed/)
    assert.equal(cluster.writes.length, writes)
    await run(cluster)
    check(cluster, writes)
  }
  return last
}

/** A mesh in which ours are installed, and the named ones are exposed. */
async function exposedMesh(
  others: KubeObject[],
  ours: string[],
  names: string[],
  more: Partial<ExposeRequest> = {},
): Promise<FakeWorld> {
  const cluster = mesh(...ingressGateway(), ...others)
  await installing(cluster, ours)
  withManagers(cluster)
  const world = fakeWorld(cluster, new FakeTerminal())
  await expose({ ...request, addons: { names, named: true }, ...more }, world)
  cluster.writes.length = 0
  return world
}

describe('addons uninstall, of exposed add-ons', () => {
  it('removes exposures and links first, whenever a run before was killed', async () => {
    const terms = { link: true, guard: { cidrs: ['10.0.0.0/8'] } }
    const world = await exposedMesh([], ['kiali', 'jaeger'], ['kiali', 'tracing'], terms)
    const untouched = titles(mesh(...ingressGateway()).objects)
    const writes = await afterEachKill(world, (cluster, count) =>
      assert.deepEqual(titles(cluster.objects), untouched, `after ${count} writes`),
    )
    assert.equal(writes, 7)
  })

  it('leaves the exposures of others’ add-ons, without the hosts of ours', async () => {
    const world = await exposedMesh(grafana('monitoring'), ['kiali', 'jaeger'], ['grafana', 'kiali', 'tracing'])
    const own = hosts('grafana')
    await afterEachKill(world, (cluster, count) => {
      const routes = cluster.objects.filter(({ kind }) => kind === 'VirtualService')
      const left = [routes.map(({ metadata }) => metadata.name), gatewayHosts(cluster), certificateHosts(cluster)]
      assert.deepEqual(left, [['kubectl-telemetry-grafana'], own, own], `after ${count} writes`)
    })
  })

  it('leaves the exposure of another add-on of the same name', async () => {
    const { cluster } = await exposedMesh(grafana('monitoring'), [], ['grafana'])
    await installing(cluster, ['grafana'])
    await uninstalling(cluster, ALL)
    assert.deepEqual(gatewayHosts(cluster), hosts('grafana'))
    assert.ok(!titles(cluster.objects).includes('Deployment istio-system/grafana'))
  })

  it('restores the links of a Kiali of others, and leaves it exposed', async () => {
    const theirs = [...kiali(), kialiDeployment()]
    const text = ({ objects }: FakeCluster) => {
      const found = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'kiali')
      return (found?.data as Record<string, string>)['config.yaml'] ?? ''
    }
    const world = await exposedMesh(theirs, ['jaeger'], ['tracing', 'kiali'], { link: true })
    const before = text(mesh(...theirs))
    assert.notEqual(text(world.cluster), before)
    await afterEachKill(world, (cluster, count) => {
      assert.equal(text(cluster), before, `after ${count} writes`)
      assert.deepEqual(gatewayHosts(cluster), hosts('kiali'))
    })
  })

  it('asks one question about all of it', async () => {
    const { cluster } = await exposedMesh([], ['grafana'], ['grafana'])
    const question = 'Uninstall these 10 objects?'
    const needs = needsOf(cluster, { [question]: false })
    const result = await uninstall({ samples: requireSamples(ALL), yes: false, dryRun: 'none' }, needs)
    assert.deepEqual([result.outcome, cluster.writes], ['declined', []])
    assert.match(needs.terminal.notes[0] ?? '', /Gateway istio-system\/kubectl-telemetry: delete/)
  })

  it('shows all of it in a dry run', async () => {
    const { cluster } = await exposedMesh([], ['grafana'], ['grafana'])
    const needs = needsOf(cluster)
    for (const dryRun of ['client', 'server'] as const) {
      const result = await uninstall({ samples: requireSamples(ALL), yes: false, dryRun }, needs)
      assert.deepEqual([result.deleted.length, result.deleted[0]?.kind, cluster.writes], [10, 'Gateway', []])
    }
  })

  it('warns without the right to look for exposures, and uninstalls', async () => {
    const cluster = mesh(...ingressGateway())
    await installing(cluster, ['grafana'])
    cluster.fail('list', 'virtualservices', new UserError('FORBIDDEN', 'no'))
    const { warnings, remaining } = await uninstalling(cluster, ALL)
    assert.deepEqual([warnings.map(({ code }) => code), remaining], [['NOT_SEARCHED'], []])
  })
})
