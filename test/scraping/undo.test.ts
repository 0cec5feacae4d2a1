import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { type CleanupRequest, type CleanupResult, cleanup, succeeded } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { scrapingLabels } from '../../src/cluster/ownership.ts'
import { UserError } from '../../src/errors.ts'
import { scrapeWith } from '../../src/scraping/scrape-secure.ts'
import type { WorkloadObject } from '../../src/scraping/workload.ts'
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

/** The workload of somebody who has labels and annotations of his own, and one of somebody who has none. */
const OBJECTS = () => [
  istiod(),
  ...workload('web', {
    pods: 2,
    template: { annotations: { theirs: 'yes' } },
    metadata: { labels: { theirs: 'yes' } },
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

/** Less what is counted. */
function substance({ objects }: RollingCluster): unknown[] {
  const kept = ({ metadata, spec, kind }: KubeObject) => {
    const { resourceVersion: _r, generation: _g, uid: _u, ...rest } = metadata
    const { labels = {}, annotations = {}, managedFields = [], ...others } = rest
    return { kind, spec, metadata: { ...others, labels, annotations, managedFields } }
  }
  return objects.map(kept).sort((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)))
}

describe('cleanup --scraping', () => {
  it('gives every workload back as it was', async () => {
    const cluster = await scraped()
    const result = await run(cluster)
    assert.deepEqual(names(result.restored), BOTH)
    assert.equal(succeeded(result), true)
    assert.deepEqual(substance(cluster), substance(new RollingCluster(OBJECTS())))
    assert.deepEqual(names((await run(cluster)).restored), [])
  })

  describe('where somebody has such annotations of his own', () => {
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

    it('puts ours into them, once', async () => {
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

    it('gives them back to the byte', async () => {
      const cluster = await merged()
      assert.equal(succeeded(await run(cluster)), true)
      assert.deepEqual(substance(cluster), substance(new RollingCluster(objects())))
    })

    it('keeps what somebody has written into them since', async () => {
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

  it('is not done by a cleanup of what is exposed', async () => {
    const cluster = await scraped()
    const result = await run(cluster, { scraping: undefined })
    assert.deepEqual([result.restored, result.deleted, cluster.writes], [[], [], []])
  })

  it('deletes what is ours, after the workloads', async () => {
    const cluster = await scraped()
    const sidecar = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Sidecar',
      metadata: { name: 'ours', namespace: 'default', uid: '1', labels: scrapingLabels() },
    }
    cluster.objects.push(sidecar)
    const result = await run(cluster)
    assert.deepEqual(names(result.deleted), ['Sidecar/ours'])
    assert.deepEqual(
      cluster.writes.map(({ verb, object }) => `${verb} ${object}`),
      ['apply Deployment/web', 'apply StatefulSet/db', 'delete Sidecar/ours'],
    )
  })

  it('gives back and deletes kind by kind, so that no port outlives the policies that keep it closed', async () => {
    const around = (kind: string, spec: object, group: string) => ({
      apiVersion: `${group}.istio.io/v1`,
      kind,
      metadata: { name: 'theirs', namespace: 'default', managedFields: [] },
      spec,
    })
    const theirs = { matchLabels: { app: 'web' } }
    const cluster = new RollingCluster([
      ...OBJECTS(),
      ...workload('api'),
      around('Sidecar', { workloadSelector: { labels: { app: 'web' } }, egress: [{ hosts: ['./*'] }] }, 'networking'),
      around('PeerAuthentication', { selector: theirs, mtls: { mode: 'PERMISSIVE' } }, 'security'),
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

  it('goes on when a workload does not come back, and says so', async () => {
    const cluster = await scraped()
    cluster.stuck.add('web')
    const result = await run(cluster)
    assert.deepEqual([names(result.restored), succeeded(result)], [BOTH, true])
    assert.deepEqual(
      result.warnings.map(({ code }) => code),
      ['ROLLOUT_FAILED'],
    )
  })

  it('only shows in a dry run, asks first, and takes no for an answer', async () => {
    const cluster = await scraped()
    for (const dryRun of ['client', 'server'] as const)
      assert.deepEqual(names((await run(cluster, { dryRun, yes: false })).restored), BOTH)
    const question = 'Take secure scraping away from these 2 objects?'
    const declined: CleanupResult = await run(cluster, { yes: false }, { [question]: false })
    assert.deepEqual([declined.outcome, succeeded(declined)], ['declined', false])
    await assert.rejects(run(cluster, { yes: false }), { code: 'CONSENT_REQUIRED' })
    assert.deepEqual(cluster.writes, [])
  })

  it('says what it could not search, and takes no names', async () => {
    const cluster = await scraped()
    cluster.fail('list', 'networkpolicies', new UserError('FORBIDDEN', 'no'))
    const { warnings, restored } = await run(cluster)
    assert.deepEqual([warnings.map(({ code }) => code), names(restored)], [['NOT_SEARCHED'], BOTH])
    await assert.rejects(run(cluster, { addons: requireAddons(['kiali']) }), { code: 'SCRAPING_ALONE', exitCode: 2 })
  })
})
