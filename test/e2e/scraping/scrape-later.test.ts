/** What secure scraping leaves behind closes no workload and loses no metrics when the user changes objects later. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import type { ScrapeStatusResult } from '../../../src/scraping/status-result.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { meshNamespace, meshWorkload, podOf, waitUntilReady } from '../mesh-workloads.ts'
import { runPlugin } from '../plugin-runs.ts'
import { activeTargets } from '../prometheus-api.ts'
import { ask, awaitStatus } from '../scraping.ts'

const NAMESPACE = 'scrape-later'
const METRICS = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080', 'prometheus.io/path': '/metrics' }
const CONFIG = ['-n', 'istio-system', 'configmap', 'prometheus']

interface Policy {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace: string; labels: object }
  spec: object
}

const policy = (name: string, spec: object, labels = {}) => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name, namespace: NAMESPACE, labels },
  spec: { selector: { matchLabels: { app: 'shop' } }, ...spec },
})
const RULES = [{ to: [{ operation: { ports: ['8080'] } }] }]
const PAGES = policy('pages', { rules: RULES })
/** As an earlier version wrote it. */
const FORMER = policy(
  'kubectl-telemetry-deployment-shop-allow',
  { action: 'ALLOW', rules: [{ to: [{ operation: { ports: ['15091'] } }] }] },
  { 'app.kubernetes.io/managed-by': 'kubectl-telemetry', 'kubectl-telemetry/part': 'scraping' },
)

/** The user's Sidecar selects pods of more than one workload, also pods that come later. */
const TILLS = { group: 'tills' }
const SIDECAR = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'Sidecar',
  metadata: { name: 'tills', namespace: NAMESPACE },
  spec: { workloadSelector: { labels: TILLS }, egress: [{ hosts: ['*/*'] }] },
}
const LATE = meshWorkload({ name: 'late', namespace: NAMESPACE, labels: TILLS })

const SOUND = { exitCode: 0, codes: [], messages: [] }

describe('what scrape-secure leaves behind, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  const scrape = async () => {
    const words = ['scrape-secure', '-n', NAMESPACE, '--method', 'sidecar', '-y', '-o', 'json']
    const { stdout, stderr, exitCode } = await runPlugin(workplace, ...words)
    assert.equal(exitCode, 0, stdout + stderr)
  }
  const status = () => {
    const { stdout, exitCode } = workplace.telemetry('scrape-secure', 'status', '-n', NAMESPACE, '-o', 'json')
    const { warnings } = JSON.parse(stdout) as ScrapeStatusResult
    return { exitCode, codes: warnings.map(({ code }) => code), messages: warnings.map(({ message }) => message) }
  }
  /** A target is down until Prometheus has asked it again. */
  const settled = async () => {
    let seen = status()
    for (let attempt = 0; attempt < 60 && seen.codes.includes('TARGET_DOWN'); attempt++) {
      await sleep(1_000)
      seen = status()
    }
    return seen
  }
  const page = (wanted: number) =>
    awaitStatus(wanted, () => ask(`http://${podOf(workplace, NAMESPACE, 'shop').address}:8080/`))
  /** The addresses at which Prometheus scrapes the application that is not merged. */
  const scraped = () => {
    const { address } = podOf(workplace, NAMESPACE, 'own')
    const own = activeTargets(workplace).filter(({ scrapeUrl }) => scrapeUrl.includes(`//${address}:`))
    return own.map(({ scrapeUrl, health }) => `${new URL(scrapeUrl).port} ${health}`).sort()
  }
  const awaitScraped = async (...wanted: string[]) => {
    for (let attempt = 0; attempt < 60 && scraped().join() !== wanted.join(); attempt++) await sleep(1_000)
    assert.deepEqual(scraped(), wanted)
  }

  /** As helm marks what it installed. */
  const markAsHelms = (mark: boolean) => {
    const set = (key: string, value: string) => (mark ? `${key}=${value}` : `${key}-`)
    const release = [set('meta.helm.sh/release-name', 'metrics'), set('meta.helm.sh/release-namespace', 'istio-system')]
    workplace.kubectl('annotate', ...CONFIG, ...release)
    workplace.kubectl('label', ...CONFIG, set('app.kubernetes.io/managed-by', 'Helm'))
  }
  /** What the plan says about tools that manage the objects. */
  const planned = () => {
    const words = ['scrape-secure', '-n', NAMESPACE, '--method', 'sidecar', '--dry-run=server']
    const { stderr, exitCode } = workplace.telemetry(...words)
    assert.equal(exitCode, 0, stderr)
    return stderr.split('\n').filter((line) => line.includes(' is managed by '))
  }

  before(async () => {
    const annotations = { ...METRICS, 'prometheus.istio.io/merge-metrics': 'false' }
    workplace.apply(
      ...meshNamespace(NAMESPACE),
      ...meshWorkload({ name: 'shop', namespace: NAMESPACE }),
      ...meshWorkload({ name: 'own', namespace: NAMESPACE, annotations }),
      ...meshWorkload({ name: 'till', namespace: NAMESPACE, labels: TILLS }),
      PAGES,
      SIDECAR,
    )
    waitUntilReady(workplace, NAMESPACE, 'deploy/shop', 'deploy/own', 'deploy/till')
    assert.equal(await page(200), 200)
    assert.deepEqual(planned(), [], 'control: nothing is marked')
    markAsHelms(true)
    untouched = dump(workplace)
  })
  after(() => {
    workplace.telemetry('cleanup', '--scraping', '-y')
    markAsHelms(false)
    workplace.kubectl('delete', 'namespace', NAMESPACE, '--wait=true', '--timeout=90s')
    workplace.end()
  })

  it('names the tool that will reset a change, before anything is written', async () => {
    assert.match(
      planned().join(),
      /ConfigMap istio-system\/prometheus is managed by Helm release istio-system\/metrics: the next helm upgrade resets /,
    )
    assert.deepEqual(difference(untouched, dump(workplace)), [])
    await scrape()
  })

  it('scrapes an application without merged metrics at its own port, too', async () => {
    await awaitScraped('15091 up', '8080 up')
    assert.deepEqual(await settled(), SOUND)
  })

  it('control: the rule of the version before lost these metrics; status reports it, and the next run repairs it', async () => {
    const text = workplace.kubectl('get', ...CONFIG, '-o', 'json')
    const configMap = JSON.parse(text) as { data: Record<string, string> }
    const former = configMap.data['prometheus.yml']?.replace(
      /( +)- action: drop\n(?: +)source_labels:\n(?: +)- (\S+secure_port)\n(?: +- __\S+\n)+ +regex: .*\n/g,
      '$1- {action: drop, source_labels: [$2], regex: .+}\n',
    )
    assert.notEqual(former, configMap.data['prometheus.yml'])
    const patch = JSON.stringify({ data: { 'prometheus.yml': former } })
    workplace.kubectl('patch', ...CONFIG, '--type', 'merge', '-p', patch)
    // The next pod reads the file at once.
    workplace.kubectl('-n', 'istio-system', 'delete', 'pod', '-l', 'app.kubernetes.io/name=prometheus')
    workplace.waitForRollout('prometheus')
    await awaitScraped('15091 up')
    const { exitCode, codes, messages } = await settled()
    assert.deepEqual([exitCode, codes], [1, ['PROMETHEUS_CHANGED']])
    assert.match(messages.join(), /; Helm release istio-system\/metrics manages it and may have reset it$/)
    await scrape()
    await awaitScraped('15091 up', '8080 up')
  })

  it('closes no workload when the user deletes the policy that allowed it', async () => {
    assert.deepEqual(
      JSON.parse(
        workplace.kubectl('-n', NAMESPACE, 'get', 'authorizationpolicy', 'pages', '-o', 'jsonpath={.spec.rules}'),
      ),
      [...RULES, { to: [{ operation: { ports: ['15091'], paths: ['/stats/prometheus'] } }] }],
    )
    workplace.kubectl('-n', NAMESPACE, 'delete', 'authorizationpolicy', 'pages')
    await sleep(2_000)
    assert.equal(await page(200), 200)
    assert.deepEqual(await settled(), SOUND)
  })

  it('control: the policy of the version before closes it; status reports it, and the next run removes it', async () => {
    workplace.applyAs('istio-telemetry-scraping', FORMER)
    assert.equal(await page(403), 403)
    const { exitCode, codes } = await settled()
    assert.deepEqual([exitCode, codes], [1, ['OUTDATED', 'SCRAPING_LEFTOVERS']])
    await scrape()
    assert.equal(await page(200), 200)
    assert.deepEqual(await settled(), SOUND)
  })

  /** Our policies for a workload, as their field manager would apply them. */
  function policiesFor(name: string): object[] {
    const kinds = 'peerauthentications.security.istio.io,authorizationpolicies.security.istio.io'
    const { items } = JSON.parse(workplace.kubectl('-n', NAMESPACE, 'get', kinds, '-o', 'json')) as { items: Policy[] }
    return items
      .filter(({ metadata }) => metadata.name === `kubectl-telemetry-deployment-${name}`)
      .map(({ apiVersion, kind, metadata, spec }) => {
        const { namespace, labels } = metadata
        return { apiVersion, kind, metadata: { name: metadata.name, namespace, labels }, spec }
      })
  }

  it('does not open a pod that comes later and that the user’s Sidecar selects; the control: the former policies would', async () => {
    workplace.apply(...LATE)
    const policies = policiesFor('till')
    try {
      waitUntilReady(workplace, NAMESPACE, 'deploy/late')
      const { address } = podOf(workplace, NAMESPACE, 'late')
      // The agent ends its pod's proxy at another path.
      const agent = () => ask(`http://${address}:15091/healthz/ready`)
      await sleep(1_000)
      assert.equal(agent().status, 0)
      assert.equal(policies.length, 2)
      // The version before selected only the pods of its workload.
      const former = JSON.stringify(policies).replaceAll(JSON.stringify(TILLS), JSON.stringify({ app: 'till' }))
      workplace.applyAs('istio-telemetry-scraping', ...(JSON.parse(former) as object[]))
      assert.equal(await awaitStatus(200, agent), 200)
    } finally {
      workplace.applyAs('istio-telemetry-scraping', ...policies)
      workplace.delete(...LATE)
      workplace.kubectl('-n', NAMESPACE, 'wait', '--for=delete', 'pod', '-l', 'app=late', '--timeout=60s')
    }
    assert.deepEqual(status(), SOUND)
  })

  it('is undone by cleanup --scraping without a difference', () => {
    workplace.apply(PAGES)
    const { stdout, stderr, exitCode } = workplace.telemetry('cleanup', '--scraping', '-y')
    assert.equal(exitCode, 0, stdout + stderr)
    // The user deleted this policy, and made it again.
    assert.deepEqual(difference(untouched, dump(workplace)), [
      `AuthorizationPolicy security.istio.io/v1 ${NAMESPACE}/pages`,
    ])
  })
})
