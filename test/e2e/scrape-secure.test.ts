import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ScrapeSecureResult } from '../../src/operations/scrape-result.ts'
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

      const { stdout, exitCode } = workplace.telemetry('cleanup', '--scraping', '-y')
      assert.equal(exitCode, 0, stdout)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
      const { address: again } = podOf(workplace, namespace, 'web')
      assert.notEqual(scraper.secure(`https://${again}:15092/stats/prometheus`).exitCode, 0)
    })
  }
})
