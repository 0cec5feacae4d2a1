/** `scrape-secure` with its real Prometheus, on whichever Istio runs: native ports on 1.31, a Sidecar and a metrics gateway on 1.30. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ScrapeSecureResult } from '../../../src/scraping/result.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { running } from '../plugin-runs.ts'
import { sampled, upOverHttps } from '../prometheus-api.ts'
import { inboundChains } from '../proxy-config.ts'
import { ask, type Certificate, certificateOf, restarted, scraper, settled, shop } from '../scraping.ts'

const NAMESPACE = 'versions'
const ELSEWHERE = 'versions-scraper'
const ROOT = 'istio-system'
/** Named, because `shop` is a Prometheus as well. */
const PROMETHEUS = ['--prometheus', 'istio-system/prometheus']
const SCRAPE = ['scrape-secure', '-n', NAMESPACE, '-n', ROOT, '--gateways', ...PROMETHEUS, '-y', '-o', 'json']
const WORKLOADS = ['shop', 'till', 'vault']
/** Certificates that are renewed every half a minute. */
const SHORT_LIVED = 'proxyMetadata:\n  SECRET_TTL: 1m\n'

interface Pod {
  metadata: { name: string; deletionTimestamp?: string; labels: Record<string, string> }
  status: { podIP: string }
}

describe('scrape-secure with its Prometheus, on the Istio that runs', () => {
  const workplace = new Workplace()
  let certificate: Certificate
  let untouched: Map<string, string>
  let chains: Map<number, string[]>[]
  let method: ScrapeSecureResult['method']

  const scrape = async (...words: string[]) => {
    const { stdout, stderr, exitCode } = await running(workplace, ...SCRAPE, ...words)
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
    for (const namespace of [NAMESPACE, ELSEWHERE]) restarted(workplace, namespace)
    workplace.rolledOut('prometheus')
    certificate = await certificateOf(workplace, ELSEWHERE)
    untouched = dump(workplace)
    chains = read()
  })
  after(() => {
    workplace.telemetry('cleanup', '--scraping', '-y')
    patch(ROOT, 'deployment/prometheus', { 'proxy.istio.io/config': null })
    workplace.kubectl('delete', 'namespace', NAMESPACE, ELSEWHERE, '--wait=true', '--timeout=90s')
    workplace.end()
    workplace.rolledOut('prometheus')
    workplace.rolledOut('istio-ingressgateway')
  })

  it('every target is UP over https, says Prometheus, with the application’s metrics', async () => {
    const begun = Date.now()
    const result = await scrape()
    method = result.method
    assert.deepEqual(
      actions(result),
      ['istio-ingressgateway', ...WORKLOADS].map((name) => `${name} configured`),
    )
    assert.deepEqual([result.targets?.up, result.targets?.total], [4, 4])
    const targets = await upOverHttps(workplace, names(), begun)
    assert.deepEqual([...new Set(targets.map(({ scrapeUrl }) => new URL(scrapeUrl).port))], [String(port())])
    for (const query of ['prometheus_build_info{app="shop"}', 'envoy_server_live{app="istio-ingressgateway"}'])
      assert.ok(await sampled(workplace, query.replace('}', ',job="kubectl-telemetry-istio-secure"}')), query)
  })

  it('nobody without a certificate of the mesh is answered, and the applications’ ports are as they were', async () => {
    for (const pod of pods()) {
      assert.equal(await settled(200, () => ask(`https://${metrics(pod)}`, certificate)), 200, pod.metadata.name)
      assert.equal(ask(`https://${metrics(pod)}`).status, 0)
      assert.equal(ask(`http://${metrics(pod)}`).status, 0)
    }
    assert.deepEqual(read(), chains)
  })

  it('certificates that Istio renews: UP by a scrape after both were', async function () {
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
    await upOverHttps(workplace, names())
  })

  it('pods that are deleted and rolled come back UP, without us', async () => {
    workplace.kubectl('-n', NAMESPACE, 'delete', 'pod', '-l', 'app=shop', '--wait=false')
    workplace.kubectl('-n', ROOT, 'delete', 'pod', '-l', 'app=istio-ingressgateway', '--wait=false')
    patch(NAMESPACE, 'statefulset/vault', { rolled: 'yes' })
    restarted(workplace, NAMESPACE)
    workplace.rolledOut('istio-ingressgateway')
    await upOverHttps(workplace, names())
  })

  it('hardened and for Prometheus alone: still UP, and nothing else is open', async function () {
    this.timeout(180_000)
    const begun = Date.now()
    const result = await scrape('--harden', '--only-prometheus')
    const left = result.workloads.filter(({ action }) => action === 'skipped')
    assert.deepEqual(left, [])
    assert.deepEqual([result.targets?.up, result.targets?.total, result.plaintext?.open], [4, 4, []])
    await upOverHttps(workplace, names(), begun)
    for (const pod of pods()) {
      assert.equal(ask(`http://${metrics(pod, 15020)}`).status, 403)
      assert.equal(ask(`http://${metrics(pod, 15090)}`).status, 0)
    }
    // Native ports have a network policy for it, which the lab's network does not enforce.
    const wanted = method === 'native' ? 200 : 403
    for (const pod of podsOf(NAMESPACE, ''))
      assert.equal(await settled(wanted, () => ask(`https://${metrics(pod)}`, certificate)), wanted)
  })

  it('cleanup --scraping gives everything back as it was', async function () {
    this.timeout(180_000)
    patch(NAMESPACE, 'statefulset/vault', { rolled: null })
    const { stdout, stderr, exitCode } = await running(workplace, 'cleanup', '--scraping', '-y')
    assert.equal(exitCode, 0, stdout + stderr)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
    restarted(workplace, NAMESPACE)
    assert.deepEqual(read(), chains)
  })
})

/** In a namespace of its own, where nothing is scraped. */
function scraperIn(namespace: string): object[] {
  const metadata = { name: namespace, labels: { 'istio-injection': 'enabled' } }
  return [{ apiVersion: 'v1', kind: 'Namespace', metadata }, ...scraper(namespace)]
}
