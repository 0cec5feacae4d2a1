/** `scrape-secure` with its real Prometheus, on the installed Istio: native ports on 1.31, a Sidecar and a metrics gateway on 1.30. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ScrapeSecureResult } from '../../../src/scraping/result.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { runPlugin } from '../plugin-runs.ts'
import { awaitSamples, awaitUpOverHttps } from '../prometheus-api.ts'
import { inboundChains } from '../proxy-config.ts'
import { ask, awaitStatus, type Certificate, certificateOf, scraper, shop, waitForRestarts } from '../scraping.ts'

const NAMESPACE = 'versions'
const ELSEWHERE = 'versions-scraper'
const ROOT = 'istio-system'
/** The flag is needed, because `shop` is a Prometheus too. */
const PROMETHEUS = ['--prometheus', 'istio-system/prometheus']
const SCRAPE = ['scrape-secure', '-n', NAMESPACE, '-n', ROOT, '--gateways', ...PROMETHEUS, '-y', '-o', 'json']
const WORKLOADS = ['shop', 'till', 'vault']
/** Certificates that are renewed every half a minute. */
const SHORT_LIVED = 'proxyMetadata:\n  SECRET_TTL: 1m\n'

interface Pod {
  metadata: { name: string; deletionTimestamp?: string; labels: Record<string, string> }
  status: { podIP: string }
}

describe('scrape-secure with its Prometheus, on the installed Istio', () => {
  const workplace = new Workplace()
  let certificate: Certificate
  let untouched: Map<string, string>
  let chains: Map<number, string[]>[]
  let method: ScrapeSecureResult['method']

  const scrape = async (...words: string[]) => {
    const { stdout, stderr, exitCode } = await runPlugin(workplace, ...SCRAPE, ...words)
    assert.equal(exitCode, 0, stdout + stderr)
    return JSON.parse(stdout) as ScrapeSecureResult
  }
  const actions = ({ workloads }: ScrapeSecureResult) => workloads.map(({ name, action }) => `${name} ${action}`).sort()
  const podsOf = (namespace: string, labels: string) => {
    const list = workplace.kubectl('-n', namespace, 'get', 'pods', '-l', labels, '-o', 'json')
    const { items } = JSON.parse(list) as { items: Pod[] }
    return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  }
  const pods = () => [...podsOf(NAMESPACE, ''), ...podsOf(ROOT, 'app=istio-ingressgateway')]
  const names = () => pods().map(({ metadata }) => metadata.name)
  const port = () => (method === 'native' ? 15092 : 15091)
  const metrics = ({ status }: Pod, at = port()) => `${status.podIP}:${at}/stats/prometheus`
  const read = () =>
    ['deployment/shop', 'deployment/till', 'statefulset/vault'].map((name) => {
      const found = inboundChains(workplace, NAMESPACE, name)
      found.delete(15091)
      return found
    })
  const patch = (namespace: string, workload: string, annotations: Record<string, string | null>) => {
    const template = { metadata: { annotations } }
    const change = JSON.stringify({ spec: { template } })
    workplace.kubectl('-n', namespace, 'patch', workload, '--type=merge', '-p', change)
  }

  before(async () => {
    workplace.apply(...shop(NAMESPACE), ...scraperIn(ELSEWHERE))
    for (const [namespace, workload] of [
      [ROOT, 'deployment/prometheus'],
      [NAMESPACE, 'deployment/till'],
    ] as const)
      patch(namespace, workload, { 'proxy.istio.io/config': SHORT_LIVED })
    for (const namespace of [NAMESPACE, ELSEWHERE]) waitForRestarts(workplace, namespace)
    workplace.waitForRollout('prometheus')
    certificate = await certificateOf(workplace, ELSEWHERE)
    untouched = dump(workplace)
    chains = read()
  })
  after(() => {
    workplace.telemetry('cleanup', '--scraping', '-y')
    patch(ROOT, 'deployment/prometheus', { 'proxy.istio.io/config': null })
    workplace.kubectl('delete', 'namespace', NAMESPACE, ELSEWHERE, '--wait=true', '--timeout=90s')
    workplace.end()
    workplace.waitForRollout('prometheus')
    workplace.waitForRollout('istio-ingressgateway')
  })

  it('makes every target UP over https, with the application’s metrics', async () => {
    const started = Date.now()
    const result = await scrape()
    method = result.method
    assert.deepEqual(
      actions(result),
      ['istio-ingressgateway', ...WORKLOADS].map((name) => `${name} configured`),
    )
    assert.deepEqual([result.targets?.up, result.targets?.total], [4, 4])
    const targets = await awaitUpOverHttps(workplace, names(), started)
    assert.deepEqual([...new Set(targets.map(({ scrapeUrl }) => new URL(scrapeUrl).port))], [String(port())])
    for (const query of ['prometheus_build_info{app="shop"}', 'envoy_server_live{app="istio-ingressgateway"}'])
      assert.ok(await awaitSamples(workplace, query.replace('}', ',job="kubectl-telemetry-istio-secure"}')), query)
  })

  it('answers only clients with a certificate of the mesh, and leaves the applications’ ports unchanged', async () => {
    for (const pod of pods()) {
      assert.equal(await awaitStatus(200, () => ask(`https://${metrics(pod)}`, certificate)), 200, pod.metadata.name)
      assert.equal(ask(`https://${metrics(pod)}`).status, 0)
      assert.equal(ask(`http://${metrics(pod)}`).status, 0)
    }
    assert.deepEqual(read(), chains)
  })

  it('keeps every target UP after Istio has renewed the certificates of both sides', async function () {
    this.timeout(180_000)
    const [till] = podsOf(NAMESPACE, 'app=till')
    assert.ok(till)
    const certificates = () => {
      const cat = ['cat', '/etc/istio-certs/cert-chain.pem']
      const own = ['-n', ROOT, 'exec', 'deployment/prometheus', '-c', 'prometheus-server', '--', ...cat]
      const { body } = ask(`https://${metrics(till)}`, certificate, '-o', '/dev/null', '-w', '%{certs}')
      return { own: workplace.kubectl(...own), served: /-----BEGIN CERTIFICATE-----[^-]*/.exec(body)?.[0] ?? '' }
    }
    const before = certificates()
    assert.match(before.served, /BEGIN CERTIFICATE/)
    for (let now = before; now.own === before.own || now.served === before.served; now = certificates())
      await new Promise((resolve) => setTimeout(resolve, 1_000))
    await awaitUpOverHttps(workplace, names())
  })

  it('has deleted and rolled pods UP again without another run', async () => {
    workplace.kubectl('-n', NAMESPACE, 'delete', 'pod', '-l', 'app=shop', '--wait=false')
    workplace.kubectl('-n', ROOT, 'delete', 'pod', '-l', 'app=istio-ingressgateway', '--wait=false')
    patch(NAMESPACE, 'statefulset/vault', { rolled: 'yes' })
    waitForRestarts(workplace, NAMESPACE)
    workplace.waitForRollout('istio-ingressgateway')
    await awaitUpOverHttps(workplace, names())
  })

  it('keeps every target UP with --harden and --only-prometheus, and leaves nothing else open', async function () {
    this.timeout(180_000)
    const started = Date.now()
    const result = await scrape('--harden', '--only-prometheus')
    const left = result.workloads.filter(({ action }) => action === 'skipped')
    assert.deepEqual(left, [])
    assert.deepEqual([result.targets?.up, result.targets?.total, result.plaintext?.open], [4, 4, []])
    await awaitUpOverHttps(workplace, names(), started)
    for (const pod of pods()) {
      assert.equal(ask(`http://${metrics(pod, 15020)}`).status, 403)
      assert.equal(ask(`http://${metrics(pod, 15090)}`).status, 0)
    }
    // Native ports have a network policy for it, which the lab's network does not enforce.
    const wanted = method === 'native' ? 200 : 403
    for (const pod of podsOf(NAMESPACE, ''))
      assert.equal(await awaitStatus(wanted, () => ask(`https://${metrics(pod)}`, certificate)), wanted)
  })

  it('is undone by cleanup --scraping without a difference', async function () {
    this.timeout(180_000)
    patch(NAMESPACE, 'statefulset/vault', { rolled: null })
    const { stdout, stderr, exitCode } = await runPlugin(workplace, 'cleanup', '--scraping', '-y')
    assert.equal(exitCode, 0, stdout + stderr)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
    waitForRestarts(workplace, NAMESPACE)
    assert.deepEqual(read(), chains)
  })
})

/** A scraper in its own namespace, where nothing is scraped. */
function scraperIn(namespace: string): object[] {
  const metadata = { name: namespace, labels: { 'istio-injection': 'enabled' } }
  return [{ apiVersion: 'v1', kind: 'Namespace', metadata }, ...scraper(namespace)]
}
