import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { succeeded } from '../../src/changes/undo.ts'
import type { CleanupResult } from '../../src/cleaning/cleanup.ts'
import { type CleanupRequest, cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { ownedLabels, SCRAPING } from '../../src/cluster/ownership.ts'
import { UserError } from '../../src/errors.ts'
import { scrapeWith } from '../../src/scraping/scrape-secure.ts'
import type { WorkloadObject } from '../../src/workloads/workload-object.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { fakeWorld } from '../fakes/fake-world.ts'
import { istiod, RollingCluster, workload } from '../fakes/workloads.ts'

const SCRAPE = {
  ...{ names: [], selector: undefined, namespaces: [], allNamespaces: true, gateways: false },
  ...{ method: 'auto' as const, harden: false, yes: true, dryRun: 'none' as const, timeout: 1_000 },
  ...{ onlyPrometheus: false, prometheus: undefined },
}
const CLEANUP: CleanupRequest = {
  addons: requireAddons([]),
  scraping: { timeout: 1_000 },
  yes: true,
  dryRun: 'none',
}

/** A workload with the user's labels and annotations, and one without. */
const OBJECTS = () => [
  istiod(),
  ...workload('web', {
    pods: 2,
    template: { annotations: { users: 'yes' } },
    metadata: { labels: { users: 'yes' } },
  }),
  ...workload('db', { kind: 'StatefulSet', namespace: 'other' }),
]

async function scraped(): Promise<RollingCluster> {
  const cluster = new RollingCluster(OBJECTS())
  await scrapeWith(undefined, SCRAPE, fakeWorld(cluster, new FakeTerminal()))
  cluster.writes.length = 0
  return cluster
}

const run = (cluster: RollingCluster, asked: Partial<CleanupRequest> = {}, answers?: Record<string, unknown>) =>
  cleanup({ ...CLEANUP, ...asked }, fakeWorld(cluster, new FakeTerminal(answers)))
const names = (objects: { kind: string; name: string }[]) => objects.map(({ kind, name }) => `${kind}/${name}`)
const BOTH = ['Deployment/web', 'StatefulSet/db']

/** Without counters. */
function substance({ objects }: RollingCluster): unknown[] {
  const kept = ({ metadata, spec, kind }: KubeObject) => {
    const { resourceVersion: _r, generation: _g, uid: _u, ...rest } = metadata
    const { labels = {}, annotations = {}, managedFields = [], ...others } = rest
    return { kind, spec, metadata: { ...others, labels, annotations, managedFields } }
  }
  return objects.map(kept).sort((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)))
}

describe('cleanup --scraping', () => {
  it('restores every workload', async () => {
    const cluster = await scraped()
    const result = await run(cluster)
    assert.deepEqual(names(result.restored), BOTH)
    assert.equal(succeeded(result), true)
    assert.deepEqual(substance(cluster), substance(new RollingCluster(OBJECTS())))
    assert.deepEqual(names((await run(cluster)).restored), [])
  })

  describe('where the user has such annotations', () => {
    const CONFIG = 'proxy.istio.io/config'
    const EXCLUDED = 'traffic.sidecar.istio.io/excludeInboundPorts'
    const OWN = {
      [CONFIG]: '# mine\nconcurrency: 1\nproxyMetadata:\n  MINE: "yes"\n',
      [EXCLUDED]: '9000, 15092',
    }
    const objects = () => [istiod(), ...workload('web', { pods: 2, template: { annotations: OWN } })]
    const annotations = (cluster: RollingCluster) => {
      const found = cluster.objects.find(({ metadata }) => metadata.name === 'web') ?? assert.fail()
      return (found as WorkloadObject).spec.template.metadata.annotations ?? assert.fail()
    }
    const merged = async () => {
      const cluster = new RollingCluster(objects())
      const { result } = await scrapeWith(undefined, SCRAPE, fakeWorld(cluster, new FakeTerminal()))
      assert.deepEqual(
        result.workloads.map(({ action }) => action),
        ['configured'],
      )
      return cluster
    }

    it('adds our entries to them, once', async () => {
      const cluster = await merged()
      assert.deepEqual(annotations(cluster), {
        [CONFIG]:
          '# mine\nconcurrency: 1\nproxyMetadata:\n  MINE: "yes"\n  ENVOY_SECURE_METRICS_PORT: "15091"\n  ENVOY_SECURE_MERGED_METRICS_PORT: "15092"\n',
        [EXCLUDED]: '9000,15092,15091',
        'prometheus.istio.io/secure-port': '15092',
      })
      const { result } = await scrapeWith(undefined, SCRAPE, fakeWorld(cluster, new FakeTerminal()))
      assert.deepEqual(
        result.workloads.map(({ action }) => action),
        ['unchanged'],
      )
    })

    it('restores them to the byte', async () => {
      const cluster = await merged()
      assert.equal(succeeded(await run(cluster)), true)
      assert.deepEqual(substance(cluster), substance(new RollingCluster(objects())))
    })

    it('keeps what the user has written into them since', async () => {
      const cluster = await merged()
      const since = annotations(cluster)
      since[CONFIG] = `${since[CONFIG]}drainDuration: 5s\n`
      since[EXCLUDED] = `${since[EXCLUDED]},9001`
      await run(cluster)
      assert.deepEqual(annotations(cluster), {
        [CONFIG]: `${OWN[CONFIG]}drainDuration: 5s\n`,
        [EXCLUDED]: '9000,15092,9001',
      })
    })
  })

  it('is not done by a cleanup of exposures', async () => {
    const cluster = await scraped()
    const result = await run(cluster, { scraping: undefined })
    assert.deepEqual([result.restored, result.deleted, cluster.writes], [[], [], []])
  })

  it('deletes created objects, after the workloads', async () => {
    const cluster = await scraped()
    const sidecar = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Sidecar',
      metadata: {
        name: 'kubectl-telemetry-deployment-web',
        namespace: 'default',
        uid: '1',
        labels: ownedLabels(SCRAPING),
      },
      spec: { workloadSelector: { labels: { app: 'web' } } },
    }
    cluster.objects.push(sidecar)
    const result = await run(cluster)
    assert.deepEqual(names(result.deleted), ['Sidecar/kubectl-telemetry-deployment-web'])
    assert.deepEqual(
      cluster.writes.map(({ verb, object }) => `${verb} ${object}`),
      ['apply Deployment/web', 'apply StatefulSet/db', 'delete Sidecar/kubectl-telemetry-deployment-web'],
    )
  })

  it('restores and deletes kind by kind, so that no port stays open after its policies are deleted', async () => {
    const meshObject = (kind: string, spec: object, group: string) => ({
      apiVersion: `${group}.istio.io/v1`,
      kind,
      metadata: { name: 'users', namespace: 'default', managedFields: [] },
      spec,
    })
    const users = { matchLabels: { app: 'web' } }
    const cluster = new RollingCluster([
      ...OBJECTS(),
      ...workload('api'),
      meshObject(
        'Sidecar',
        { workloadSelector: { labels: { app: 'web' } }, egress: [{ hosts: ['./*'] }] },
        'networking',
      ),
      meshObject('PeerAuthentication', { selector: users, mtls: { mode: 'PERMISSIVE' } }, 'security'),
    ])
    await scrapeWith(undefined, { ...SCRAPE, method: 'sidecar' }, fakeWorld(cluster, new FakeTerminal()))
    cluster.writes.length = 0
    assert.equal(succeeded(await run(cluster)), true)
    const kinds = cluster.writes.map(({ verb, object }) => `${verb} ${object.split('/')[0]}`)
    const writes = (kind: string) => kinds.filter((one) => one.endsWith(kind))
    assert.deepEqual(writes('PeerAuthentication').sort(), [
      'apply PeerAuthentication',
      'delete PeerAuthentication',
      'delete PeerAuthentication',
    ])
    assert.deepEqual(kinds, [
      ...['apply Deployment', 'apply Deployment', 'apply StatefulSet'],
      ...writes('Sidecar'),
      ...writes('PeerAuthentication'),
      ...writes('AuthorizationPolicy'),
    ])
    assert.ok(writes('Sidecar').includes('apply Sidecar'))
  })

  it('reports a workload that does not become ready, and continues', async () => {
    const cluster = await scraped()
    cluster.stuck.add('web')
    const result = await run(cluster)
    assert.deepEqual([names(result.restored), succeeded(result)], [BOTH, true])
    assert.deepEqual(
      result.warnings.map(({ code }) => code),
      ['ROLLOUT_FAILED'],
    )
  })

  it('writes nothing in a dry run, asks first, and accepts no as an answer', async () => {
    const cluster = await scraped()
    for (const dryRun of ['client', 'server'] as const)
      assert.deepEqual(names((await run(cluster, { dryRun, yes: false })).restored), BOTH)
    const question = 'Undo secure scraping in these 2 objects?'
    const declined: CleanupResult = await run(cluster, { yes: false }, { [question]: false })
    assert.deepEqual([declined.outcome, succeeded(declined)], ['declined', false])
    await assert.rejects(run(cluster, { yes: false }), { code: 'CONSENT_REQUIRED' })
    assert.deepEqual(cluster.writes, [])
  })

  it('reports what it could not search, and takes no names', async () => {
    const cluster = await scraped()
    cluster.fail('list', 'networkpolicies', new UserError('FORBIDDEN', 'no'))
    const { warnings, restored } = await run(cluster)
    assert.deepEqual([warnings.map(({ code }) => code), names(restored)], [['NOT_SEARCHED'], BOTH])
    await assert.rejects(run(cluster, { addons: requireAddons(['kiali']) }), {
      code: 'SCRAPING_WITH_ADDONS',
      exitCode: 2,
    })
  })
})
