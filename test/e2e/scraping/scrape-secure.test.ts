import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ScrapeSecureResult } from '../../../src/scraping/result.ts'
import { SECURE_JOB } from '../../../src/scraping/scraper/secure-job.ts'
import type { ScrapeStatusResult } from '../../../src/scraping/status-result.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { inboundChains, meshNamespace, meshWorkload, podOf, Scraper, waitUntilReady } from '../mesh-workloads.ts'
import { runPlugin } from '../plugin-runs.ts'

/** The agent merges the application's metrics. */
const OWN_METRICS = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080', 'prometheus.io/path': '/metrics' }
const MODES = [
  {
    namespace: 'scrape-permissive',
    mode: undefined,
    names: ['Deployment/web', 'StatefulSet/queue', 'DaemonSet/agent'],
  },
  { namespace: 'scrape-strict', mode: 'STRICT', names: ['Deployment/web', 'StatefulSet/queue'] },
] as const
const WORKLOADS = MODES.flatMap(({ namespace, names }) => names.map((name) => ({ namespace, name })))

describe('scrape-secure by the native method, on the real mesh', () => {
  const workplace = new Workplace()
  const scraper = new Scraper(workplace, 'scraper')

  let untouched: Map<string, string>
  let chains: string[][]
  let served: ReturnType<Scraper['getWithoutCertificate']>[]

  const scrape = async (...words: string[]) => {
    const all = ['scrape-secure', ...NAMESPACES, '-y', '-o', 'json', ...words]
    const { stdout, stderr, exitCode } = await runPlugin(workplace, ...all)
    assert.equal(exitCode, 0, stdout + stderr)
    return JSON.parse(stdout) as ScrapeSecureResult
  }
  const NAMESPACES = MODES.flatMap(({ namespace }) => ['-n', namespace])
  /** The status that a later command reports. */
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
  const expected = (action: string) =>
    WORKLOADS.map(({ namespace, name }) => `${namespace} ${name} native ${action}`).sort()
  const page = (namespace: string, port: number, app = 'web') =>
    `${podOf(workplace, namespace, app).address}:${port}/stats/prometheus`

  before(() => {
    const wanted = MODES.flatMap(({ namespace, mode }) => [
      ...meshNamespace(namespace, mode),
      ...meshWorkload({ name: 'web', namespace, ports: [8080, 9000], annotations: OWN_METRICS }),
    ])
    workplace.apply(
      ...meshNamespace('scraper'),
      ...scraper.objects(),
      ...wanted,
      ...meshWorkload({ name: 'queue', namespace: 'scrape-strict', kind: 'StatefulSet' }),
    )
    // The manager `helm` owns an empty map of labels and one of annotations.
    workplace.applyAs(
      'helm',
      ...meshWorkload({ name: 'queue', namespace: 'scrape-permissive', kind: 'StatefulSet', ownLabels: {} }),
      ...meshWorkload({ name: 'agent', namespace: 'scrape-permissive', kind: 'DaemonSet', annotations: {} }),
    )
    waitUntilReady(workplace, 'scraper', 'deploy/scraper')
    for (const { namespace, name } of WORKLOADS) waitUntilReady(workplace, namespace, name.toLowerCase())
    scraper.fetchCertificate()
    untouched = dump(workplace)
    chains = chainsOf()
    served = MODES.map(({ namespace }) =>
      scraper.getWithoutCertificate(`http://${podOf(workplace, namespace, 'web').address}:8080/`),
    )
  })
  after(() => {
    workplace.telemetry('cleanup', '--scraping', '-y')
    workplace.kubectl('delete', 'namespace', 'scraper', ...MODES.map(({ namespace }) => namespace))
    workplace.end()
  })

  it('makes every target UP over https, as Prometheus reports', async () => {
    const result = await scrape()
    assert.deepEqual(actions(result).sort(), expected('configured'))
    assert.equal(result.method, 'native')
    assert.deepEqual([result.targets?.up, result.targets?.total], [5, 5])
    const { up, total } = result.targets?.jobs.find(({ name }) => name === SECURE_JOB) ?? assert.fail()
    assert.deepEqual([up, total], [5, 5])
    const open = WORKLOADS.flatMap(({ namespace, name }) =>
      [15090, 15020].map((port) => `${namespace}/${name.toLowerCase()}:${port}`),
    )
    assert.deepEqual(result.plaintext?.open.toSorted(), open.toSorted())
    assert.deepEqual(status(), { sound: true, targets: [5, 5], double: [], open: open.toSorted() })
  })

  for (const [index, { namespace, mode }] of MODES.entries())
    it(`serves metrics only to certificates of the mesh, where mutual TLS is ${mode ?? 'PERMISSIVE'}`, () => {
      for (const app of ['web', 'queue']) {
        const merged = page(namespace, 15092, app)
        assert.match(scraper.getWithCertificate(`https://${merged}`).body, /^envoy_/m)
        assert.match(scraper.getWithCertificate(`https://${page(namespace, 15091, app)}`).body, /^envoy_/m)
        assert.notEqual(scraper.getWithoutCertificate(`http://${merged}`).exitCode, 0, 'in plaintext')
        assert.notEqual(scraper.getWithoutCertificate(`https://${merged}`).exitCode, 0, 'without a certificate')
      }
      assert.match(scraper.getWithCertificate(`https://${page(namespace, 15092)}`).body, /^wire_answers 42$/m)
      assert.doesNotMatch(scraper.getWithCertificate(`https://${page(namespace, 15091)}`).body, /wire_answers/)
      assert.ok((chains[index]?.length ?? 0) >= 2, 'nothing to compare')
      assert.deepEqual(chainsOf()[index], chains[index])
      const { address } = podOf(workplace, namespace, 'web')
      assert.deepEqual(scraper.getWithoutCertificate(`http://${address}:8080/`), served[index])
      assert.match(scraper.getAsSidecar(address, 8080), /^(5\r\n)?wire\n/)
    })

  it('restarts nothing the second time', async () => {
    const pods = () => MODES.map(({ namespace }) => podOf(workplace, namespace, 'web').uid)
    const before = pods()
    assert.deepEqual(actions(await scrape()).sort(), expected('unchanged'))
    assert.deepEqual(pods(), before)
  })

  it('leaves an empty map to the field manager that applied it', () => {
    const apply = () =>
      workplace.applyAs(
        'helm',
        ...meshWorkload({ name: 'queue', namespace: 'scrape-permissive', kind: 'StatefulSet', ownLabels: {} }),
        ...meshWorkload({ name: 'agent', namespace: 'scrape-permissive', kind: 'DaemonSet', annotations: {} }),
      )
    const owners = (name: string) => {
      const words = ['-n', 'scrape-permissive', 'get', name, '-o', 'json', '--show-managed-fields']
      const { metadata } = JSON.parse(workplace.kubectl(...words)) as {
        metadata: { annotations?: object; managedFields: { manager: string; fieldsV1: object }[] }
      }
      assert.doesNotMatch(JSON.stringify(metadata.annotations ?? {}), /empty-maps/)
      return JSON.stringify(
        metadata.managedFields.filter(({ manager }) => manager === 'helm').map((one) => one.fieldsV1),
      )
    }
    assert.match(owners('sts/queue'), /"f:labels":\{\}/)
    assert.match(owners('ds/agent'), /"f:annotations":\{\}/)
    assert.doesNotThrow(apply)
  })

  it('closes the plaintext ports to other clients with --harden', async () => {
    const hardened = await scrape('--harden')
    assert.deepEqual([hardened.targets?.up, hardened.plaintext?.open], [5, []])
    assert.deepEqual(status(), { sound: true, targets: [5, 5], double: [], open: [] })
    for (const { namespace } of MODES) {
      assert.notEqual(scraper.getWithoutCertificate(`http://${page(namespace, 15090)}`).exitCode, 0)
      assert.match(scraper.getWithoutCertificate(`http://${page(namespace, 15020)}`).body, /localhost/)
    }
  })

  it('leaves nothing after cleanup --scraping', async () => {
    const { stdout, stderr, exitCode } = await runPlugin(workplace, 'cleanup', '--scraping', '-y')
    assert.equal(exitCode, 0, stdout + stderr)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
    const nothing = workplace.telemetry('scrape-secure', 'status', ...NAMESPACES)
    assert.match(nothing.stdout, /^no workload is scraped over Istio mutual TLS in namespaces? scrape-/)
    assert.match(nothing.stdout, /^not secured +5 workloads with a sidecar: /m)
    assert.equal(nothing.exitCode, 0)
    for (const { namespace } of MODES)
      assert.notEqual(scraper.getWithCertificate(`https://${page(namespace, 15092)}`).exitCode, 0)
  })
})
