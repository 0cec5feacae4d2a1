// Which Prometheus `scrape-secure status` is about, where a tenant runs one, too.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { scrapeStatus, succeeded } from '../../src/scraping/status.ts'
import type { WorkloadObject } from '../../src/workloads/workload-object.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { fakeWorld } from '../fakes/fake-world.ts'
import { prometheus, ScrapedCluster } from '../fakes/scraped-cluster.ts'
import { workload } from '../fakes/workloads.ts'

const LABEL = { 'kubectl-telemetry/scraping': 'true' }
const RECORD = 'kubectl-telemetry/before-scraping'
const VALID = JSON.stringify({ managedFields: [], fields: [] })
const REAL = 'istio-system/prometheus'
const TENANTS = 'adversary/prometheus'

/** A Prometheus of a tenant with these marks; its namespace comes first. */
function tenants(labels: Record<string, string>, annotations: Record<string, string> = {}): KubeObject[] {
  return prometheus().map((object) => ({
    ...object,
    metadata: {
      ...object.metadata,
      namespace: 'adversary',
      ...(object.kind === 'Deployment' ? { labels, annotations } : {}),
    },
  }))
}

/** A mesh whose workload is scraped by the real Prometheus. */
async function secured(...more: KubeObject[]): Promise<ScrapedCluster> {
  const cluster = await new ScrapedCluster(workload('web', { namespace: 'shop' })).secure()
  cluster.objects.unshift(...more)
  return cluster
}

const deploymentOf = ({ objects }: ScrapedCluster, namespace: string) =>
  objects.find(
    ({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'prometheus' && metadata.namespace === namespace,
  ) as WorkloadObject

/** As a user sets it up by hand: with the certificate, without a record. */
function byHand(cluster: ScrapedCluster): void {
  const { metadata } = deploymentOf(cluster, 'istio-system')
  metadata.labels = {}
  metadata.annotations = {}
}

async function look(cluster: ScrapedCluster, named?: string) {
  const result = await scrapeStatus({ namespaces: [], prometheus: named }, fakeWorld(cluster, new FakeTerminal()))
  const { prometheus: found, warnings } = result
  const about = found && `${found.namespace}/${found.name}`
  return { about, warnings, codes: warnings.map(({ code }) => code), sound: succeeded(result) }
}

describe('scrape-secure status where several Prometheus servers run', () => {
  it('is about the real one, and names the other: a label decides nothing', async () => {
    for (const set of [() => {}, byHand]) {
      const cluster = await secured(...tenants(LABEL))
      set(cluster)
      const { about, codes, warnings, sound } = await look(cluster)
      assert.deepEqual([about, sound], [REAL, true])
      const chosen = warnings.find(({ code }) => code === 'PROMETHEUS_CHOSEN')
      assert.deepEqual(chosen?.remedies, [`--prometheus ${TENANTS}   # the report about another one`])
      assert.match(
        chosen?.message ?? '',
        /Deployment istio-system\/prometheus, the only one of 2 .*: Deployment adversary\/prometheus$/,
      )
      assert.deepEqual(
        warnings.filter(({ code }) => code === 'OBJECT_NOT_TRUSTED').map(({ message }) => message.slice(0, 31)),
        ['Deployment adversary/prometheus'],
        codes.join(),
      )
    }
  })

  for (const text of ['{', '[]', '{"fields":[{"path":["metadata"]}]}', '['.repeat(50_000)])
    it(`is about the real one where the other has a broken record: ${text.slice(0, 20)}`, async () => {
      const { about, codes } = await look(await secured(...tenants(LABEL, { [RECORD]: text })))
      assert.deepEqual([about, codes], [REAL, ['RECORD_INVALID', 'PROMETHEUS_CHOSEN']])
    })

  it('chooses none where both may scrape, and says how to name one', async () => {
    for (const set of [() => {}, byHand]) {
      const cluster = await secured(...tenants(LABEL, { [RECORD]: VALID }))
      set(cluster)
      const { about, codes, warnings, sound } = await look(cluster)
      assert.deepEqual([about, codes, sound], [undefined, ['TARGETS_UNKNOWN'], false])
      assert.deepEqual(
        warnings[0]?.remedies,
        [TENANTS, REAL].map((name) => `--prometheus ${name}`),
      )
      assert.equal((await look(cluster, REAL)).about, REAL)
    }
  })

  it('says that there is another one where only the one of the tenant may scrape', async () => {
    const cluster = await secured(...tenants(LABEL, { [RECORD]: VALID }))
    byHand(cluster)
    const [original] = prometheus()
    Object.assign(deploymentOf(cluster, 'istio-system'), { spec: original?.spec })
    const { about, warnings } = await look(cluster)
    assert.equal(about, TENANTS)
    const chosen = warnings.find(({ code }) => code === 'PROMETHEUS_CHOSEN')
    assert.deepEqual(chosen?.remedies, [`--prometheus ${REAL}   # the report about another one`])
  })

  it('says nothing of others where the Prometheus is named, or is the only one', async () => {
    const cluster = await secured(...tenants({}))
    assert.deepEqual(await look(cluster, REAL), { about: REAL, warnings: [], codes: [], sound: true })
    assert.deepEqual((await look(await secured())).codes, [])
  })
})
