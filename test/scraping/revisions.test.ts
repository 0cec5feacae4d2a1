/** Workloads of several revisions of Istio in one mesh, as during a canary upgrade. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { scrapeWith } from '../../src/scraping/scrape-secure.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { fakeWorld } from '../fakes/fake-world.ts'
import { istiod, RollingCluster, workload } from '../fakes/workloads.ts'

const SCRAPE = {
  ...{ names: [], selector: undefined, namespaces: [], allNamespaces: true, gateways: false },
  ...{ method: 'auto' as const, harden: false, yes: true, dryRun: 'none' as const, timeout: 1_000 },
  ...{ onlyPrometheus: false, prometheus: undefined },
}

/** A Sidecar of the user for the pods of `web`. */
function sidecar(revision: string): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: {
      name: 'theirs',
      namespace: 'default',
      uid: 's',
      labels: { 'istio.io/rev': revision },
      managedFields: [],
    },
    spec: { workloadSelector: { labels: { app: 'web' } }, egress: [{ hosts: ['./*'] }] },
  }
}

const scrape = async (cluster: RollingCluster) =>
  (await scrapeWith(undefined, SCRAPE, fakeWorld(cluster, new FakeTerminal()))).result
const ingressOf = (cluster: RollingCluster, name: string) =>
  cluster.objects
    .filter(({ kind, metadata }) => kind === 'Sidecar' && metadata.name.startsWith(name))
    .map(({ spec }) => (spec as { ingress?: object[] }).ingress?.length ?? 0)

describe('scrape-secure in a mesh with two revisions', () => {
  it('chooses the method of each workload by the istiod of its revision', async () => {
    const cluster = new RollingCluster([
      istiod('1.31.0'),
      istiod('1.30.0', 'stable'),
      ...workload('web'),
      ...workload('old', { revision: 'stable', istio: '1.30.0' }),
    ])
    const { workloads } = await scrape(cluster)
    assert.deepEqual(Object.fromEntries(workloads.map(({ name, method }) => [name, method])), {
      web: 'native',
      old: 'sidecar',
    })
  })

  it('changes the user’s Sidecar of the same revision', async () => {
    const cluster = new RollingCluster([
      istiod('1.30.0', 'stable'),
      ...workload('web', { revision: 'stable', istio: '1.30.0' }),
      sidecar('stable'),
    ])
    await scrape(cluster)
    assert.ok((ingressOf(cluster, 'theirs')[0] ?? 0) > 0)
    assert.deepEqual(ingressOf(cluster, 'kubectl-telemetry'), [])
  })

  it('does not use a Sidecar of another revision, which has no effect on the workload', async () => {
    const cluster = new RollingCluster([
      istiod('1.30.0', 'stable'),
      ...workload('web', { revision: 'stable', istio: '1.30.0' }),
      sidecar('canary'),
    ])
    await scrape(cluster)
    assert.deepEqual(ingressOf(cluster, 'theirs'), [0])
    assert.equal(ingressOf(cluster, 'kubectl-telemetry').length, 1)
  })
})
