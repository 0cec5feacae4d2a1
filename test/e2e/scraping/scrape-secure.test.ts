import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ScrapeSecureResult } from '../../../src/scraping/result.ts'
import { SECURE_JOB } from '../../../src/scraping/scraper/secure-job.ts'
import type { ScrapeStatusResult } from '../../../src/scraping/status.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { inboundChains, meshedNamespace, meshedWorkload, podOf, ready, Scraper } from '../mesh-workloads.ts'
import { running } from '../plugin-runs.ts'

/** The application's metrics are the agent's to merge. */
const OWN_METRICS = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080', 'prometheus.io/path': '/metrics' }
const MODES = [
  { namespace: 'scrape-permissive', mode: undefined },
  { namespace: 'scrape-strict', mode: 'STRICT' },
] as const

describe('scrape-secure by the native method, on the real mesh', () => {
  const workplace = new Workplace()
  const scraper = new Scraper(workplace, 'scraper')

  let untouched: Map<string, string>
  let chains: string[][]
  let served: ReturnType<Scraper['anonymous']>[]

  const scrape = async (...words: string[]) => {
    const all = ['scrape-secure', ...NAMESPACES, '-y', '-o', 'json', ...words]
    const { stdout, stderr, exitCode } = await running(workplace, ...all)
    assert.equal(exitCode, 0, stdout + stderr)
    return JSON.parse(stdout) as ScrapeSecureResult
  }
  const NAMESPACES = MODES.flatMap(({ namespace }) => ['-n', namespace])
  /** As anybody sees it, whenever. */
  const status = () => {
    const { stdout, exitCode } = workplace.telemetry('scrape-secure', 'status', ...NAMESPACES, '-o', 'json')
    const { targets, double, plaintext, warnings } = JSON.parse(stdout) as ScrapeStatusResult
    assert.deepEqual(warnings, [])
    const open = plaintext.open.toSorted()
    return { sound: exitCode === 0, targets: [targets?.up, targets?.total], double, open }
  }
  const chainsOf = () => MODES.map(({ namespace }) => inboundChains(workplace, namespace, 'deploy/web', [8080, 9000]))
  const actions = ({ workloads }: ScrapeSecureResult) =>
    workloads.map(({ namespace, kind, name, method, action }) => `${namespace} ${kind}/${name} ${method} ${action}`)
  const each = (action: string) =>
    MODES.flatMap(({ namespace }) =>
      ['Deployment/web', 'StatefulSet/queue'].map((name) => `${namespace} ${name} native ${action}`),
    ).sort()
  const page = (namespace: string, port: number, app = 'web') =>
    `${podOf(workplace, namespace, app).address}:${port}/stats/prometheus`

  before(() => {
    const wanted = MODES.flatMap(({ namespace, mode }) => [
      ...meshedNamespace(namespace, mode),
      ...meshedWorkload({ name: 'web', namespace, ports: [8080, 9000], annotations: OWN_METRICS }),
      ...meshedWorkload({ name: 'queue', namespace, kind: 'StatefulSet' }),
    ])
    workplace.apply(...meshedNamespace('scraper'), ...scraper.objects(), ...wanted)
    ready(workplace, 'scraper', 'deploy/scraper')
    for (const { namespace } of MODES) ready(workplace, namespace, 'deploy/web', 'sts/queue')
    scraper.fetchCertificate()
    untouched = dump(workplace)
    chains = chainsOf()
    served = MODES.map(({ namespace }) =>
      scraper.anonymous(`http://${podOf(workplace, namespace, 'web').address}:8080/`),
    )
  })
  after(() => {
    workplace.telemetry('cleanup', '--scraping', '-y')
    workplace.kubectl('delete', 'namespace', 'scraper', ...MODES.map(({ namespace }) => namespace))
    workplace.end()
  })

  it('has every target UP over https, says Prometheus itself', async () => {
    const result = await scrape()
    assert.deepEqual(actions(result).sort(), each('configured'))
    assert.equal(result.method, 'native')
    assert.deepEqual([result.targets?.up, result.targets?.total], [4, 4])
    const { up, total } = result.targets?.jobs.find(({ name }) => name === SECURE_JOB) ?? assert.fail()
    assert.deepEqual([up, total], [4, 4])
    const open = MODES.flatMap(({ namespace }) =>
      ['deployment/web', 'statefulset/queue'].flatMap((name) =>
        [15090, 15020].map((port) => `${namespace}/${name}:${port}`),
      ),
    )
    assert.deepEqual(result.plaintext?.open.toSorted(), open.toSorted())
    assert.deepEqual(status(), { sound: true, targets: [4, 4], double: [], open: open.toSorted() })
  })

  for (const [index, { namespace, mode }] of MODES.entries())
    it(`serves metrics to certificates of the mesh alone, where mutual TLS is ${mode ?? 'PERMISSIVE'}`, () => {
      for (const app of ['web', 'queue']) {
        const merged = page(namespace, 15092, app)
        assert.match(scraper.secure(`https://${merged}`).body, /^envoy_/m)
        assert.match(scraper.secure(`https://${page(namespace, 15091, app)}`).body, /^envoy_/m)
        assert.notEqual(scraper.anonymous(`http://${merged}`).exitCode, 0, 'in clear')
        assert.notEqual(scraper.anonymous(`https://${merged}`).exitCode, 0, 'without a certificate')
      }
      assert.match(scraper.secure(`https://${page(namespace, 15092)}`).body, /^wire_answers 42$/m)
      assert.doesNotMatch(scraper.secure(`https://${page(namespace, 15091)}`).body, /wire_answers/)
      assert.ok((chains[index]?.length ?? 0) >= 2, 'nothing to compare')
      assert.deepEqual(chainsOf()[index], chains[index])
      const { address } = podOf(workplace, namespace, 'web')
      assert.deepEqual(scraper.anonymous(`http://${address}:8080/`), served[index])
      assert.match(scraper.asSidecar(address, 8080), /^(5\r\n)?wire\n/)
    })

  it('restarts nothing the second time', async () => {
    const pods = () => MODES.map(({ namespace }) => podOf(workplace, namespace, 'web').uid)
    const before = pods()
    assert.deepEqual(actions(await scrape()).sort(), each('unchanged'))
    assert.deepEqual(pods(), before)
  })

  it('hardened, the ports in clear answer nobody else', async () => {
    const hardened = await scrape('--harden')
    assert.deepEqual([hardened.targets?.up, hardened.plaintext?.open], [4, []])
    assert.deepEqual(status(), { sound: true, targets: [4, 4], double: [], open: [] })
    for (const { namespace } of MODES) {
      assert.notEqual(scraper.anonymous(`http://${page(namespace, 15090)}`).exitCode, 0)
      assert.match(scraper.anonymous(`http://${page(namespace, 15020)}`).body, /localhost/)
    }
  })

  it('leaves nothing after cleanup --scraping', async () => {
    const { stdout, stderr, exitCode } = await running(workplace, 'cleanup', '--scraping', '-y')
    assert.equal(exitCode, 0, stdout + stderr)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
    const nothing = workplace.telemetry('scrape-secure', 'status', ...NAMESPACES)
    assert.match(nothing.stdout, /^no workload is scraped over Istio mutual TLS in namespaces? scrape-/)
    assert.match(nothing.stdout, /^not yet +4 workloads with a sidecar: /m)
    assert.equal(nothing.exitCode, 0)
    for (const { namespace } of MODES) assert.notEqual(scraper.secure(`https://${page(namespace, 15092)}`).exitCode, 0)
  })
})
