import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ScrapeSecureResult } from '../../src/operations/scrape-result.ts'
import type { ScrapeStatusResult } from '../../src/operations/scrape-status.ts'
import { SECURE_JOB } from '../../src/scraping/secure-job.ts'
import { difference, dump } from './dump.ts'
import { Workplace } from './mesh.ts'
import { inboundChains, meshedNamespace, meshedWorkload, podOf, ready, Scraper } from './meshed.ts'

/** The application's metrics are the agent's to merge. */
const OWN_METRICS = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080', 'prometheus.io/path': '/metrics' }
const MODES = [
  { namespace: 'scrape-permissive', mode: undefined },
  { namespace: 'scrape-strict', mode: 'STRICT' },
] as const

describe('scrape-secure by the native method, on the real mesh', () => {
  const workplace = new Workplace()
  const scraper = new Scraper(workplace, 'scraper')

  const scrape = (namespace: string, ...words: string[]) => {
    const { stdout, exitCode } = workplace.telemetry('scrape-secure', '-n', namespace, '-y', '-o', 'json', ...words)
    assert.equal(exitCode, 0, stdout)
    return JSON.parse(stdout) as ScrapeSecureResult
  }
  /** As anybody sees it, whenever. */
  const status = (namespace: string) => {
    const words = ['scrape-secure', 'status', '-n', namespace, '-o', 'json']
    const { stdout, exitCode } = workplace.telemetry(...words)
    const { targets, double, plaintext, warnings } = JSON.parse(stdout) as ScrapeStatusResult
    assert.deepEqual(warnings, [])
    return { sound: exitCode === 0, targets: [targets?.up, targets?.total], double, open: plaintext.open }
  }
  const actions = ({ workloads }: ScrapeSecureResult) =>
    workloads.map(({ kind, name, method, action }) => `${kind}/${name} ${method} ${action}`)

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
  })
  after(() => {
    workplace.telemetry('cleanup', '--scraping', '-y')
    workplace.kubectl('delete', 'namespace', 'scraper', ...MODES.map(({ namespace }) => namespace))
    workplace.end()
  })

  for (const { namespace, mode } of MODES) {
    it(`serves metrics to certificates of the mesh alone, where mutual TLS is ${mode ?? 'PERMISSIVE'}`, () => {
      const untouched = dump(workplace)
      const chains = inboundChains(workplace, namespace, 'deploy/web', [8080, 9000])
      const served = scraper.anonymous(`http://${podOf(workplace, namespace, 'web').address}:8080/`)
      assert.ok(chains.length >= 2, 'nothing to compare')

      const result = scrape(namespace)
      assert.deepEqual(actions(result), ['Deployment/web native configured', 'StatefulSet/queue native configured'])
      assert.equal(result.method, 'native')
      assert.deepEqual([result.targets?.up, result.targets?.total], [2, 2], 'over https, says Prometheus itself')
      const { up, total } = result.targets?.jobs.find(({ name }) => name === SECURE_JOB) ?? assert.fail()
      assert.deepEqual([up, total], [2, 2])
      const open = ['deployment/web', 'statefulset/queue'].flatMap((name) =>
        [15090, 15020].map((port) => `${namespace}/${name}:${port}`),
      )
      assert.deepEqual(result.plaintext?.open, open)
      assert.deepEqual(status(namespace), { sound: true, targets: [2, 2], double: [], open })

      for (const app of ['web', 'queue']) {
        const { address } = podOf(workplace, namespace, app)
        const merged = `${address}:15092/stats/prometheus`
        assert.match(scraper.secure(`https://${merged}`).body, /^envoy_/m)
        assert.match(scraper.secure(`https://${address}:15091/stats/prometheus`).body, /^envoy_/m)
        assert.notEqual(scraper.anonymous(`http://${merged}`).exitCode, 0, 'in clear')
        assert.notEqual(scraper.anonymous(`https://${merged}`).exitCode, 0, 'without a certificate')
      }
      const { address, uid } = podOf(workplace, namespace, 'web')
      assert.match(scraper.secure(`https://${address}:15092/stats/prometheus`).body, /^wire_answers 42$/m)
      assert.doesNotMatch(scraper.secure(`https://${address}:15091/stats/prometheus`).body, /wire_answers/)

      assert.deepEqual(inboundChains(workplace, namespace, 'deploy/web', [8080, 9000]), chains)
      assert.deepEqual(scraper.anonymous(`http://${address}:8080/`), served)
      assert.match(scraper.asSidecar(address, 8080), /^(5\r\n)?wire\n/)

      assert.deepEqual(actions(scrape(namespace)), [
        'Deployment/web native unchanged',
        'StatefulSet/queue native unchanged',
      ])
      assert.equal(podOf(workplace, namespace, 'web').uid, uid, 'a second run restarts nothing')

      workplace.kubectl('-n', namespace, 'delete', 'pod', '-l', 'app=web')
      ready(workplace, namespace, 'deploy/web')
      const anew = podOf(workplace, namespace, 'web')
      assert.match(scraper.secure(`https://${anew.address}:15092/stats/prometheus`).body, /^wire_answers 42$/m)

      const hardened = scrape(namespace, '--harden')
      assert.deepEqual([hardened.targets?.up, hardened.plaintext?.open], [2, []])
      assert.deepEqual(status(namespace), { sound: true, targets: [2, 2], double: [], open: [] })
      const closed = podOf(workplace, namespace, 'web').address
      assert.notEqual(scraper.anonymous(`http://${closed}:15090/stats/prometheus`).exitCode, 0)
      assert.match(scraper.anonymous(`http://${closed}:15020/stats/prometheus`).body, /localhost/)

      const { stdout, exitCode } = workplace.telemetry('cleanup', '--scraping', '-y')
      assert.equal(exitCode, 0, stdout)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
      const nothing = workplace.telemetry('scrape-secure', 'status', '-n', namespace)
      assert.match(nothing.stdout, /^no workload is scraped over Istio mutual TLS in namespace scrape-/)
      assert.match(nothing.stdout, /^not yet +2 workloads with a sidecar: /m)
      assert.equal(nothing.exitCode, 0)
      const { address: again } = podOf(workplace, namespace, 'web')
      assert.notEqual(scraper.secure(`https://${again}:15092/stats/prometheus`).exitCode, 0)
    })
  }
})
