import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ConfigMap } from '../../../src/cluster/objects.ts'
import { CONFIG_MAPS } from '../../../src/cluster/resources.ts'
import { askOverTls } from '../../../src/forwarding/tunnel/ask-over-tls.ts'
import { proveScraping } from '../../../src/scraping/proof.ts'
import { SECURE_JOB } from '../../../src/scraping/scraper/secure-job.ts'
import { METRICS_PATH } from '../../../src/scraping/workload.ts'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import {
  clock,
  issuing,
  labCluster,
  readTargets,
  restoreObject,
  secureNamespace,
  securePods,
  securePrometheus,
  timers,
} from '../scraping-prometheus.ts'

const NAMESPACES = ['scrape-permissive', 'scrape-strict']
const CONFIGURATION = { name: 'prometheus', namespace: 'istio-system' }
const KEY = 'prometheus.yml'

describe('Prometheus over mutual TLS, on the real mesh', () => {
  const workplace = new Workplace()
  const cluster = labCluster()
  let untouched: Map<string, string>

  before(async function () {
    this.timeout(120_000)
    await loadBalancer('on')
    workplace.apply(
      ...secureNamespace('scrape-permissive', 'PERMISSIVE'),
      ...secureNamespace('scrape-strict', 'STRICT'),
    )
    for (const name of NAMESPACES) workplace.kubectl('-n', name, 'rollout', 'status', 'deployment/app', '--timeout=85s')
    untouched = dump(workplace)
  })
  after(async function () {
    this.timeout(120_000)
    restore()
    await cluster.close()
    workplace.kubectl('delete', 'namespace', ...NAMESPACES)
    workplace.end()
    workplace.waitForRollout('prometheus')
  })

  const restore = () => assert.equal(workplace.telemetry('cleanup', '--scraping', '-y').exitCode, 0)
  const configuration = async () => {
    const found = await cluster.get<ConfigMap>(CONFIG_MAPS, CONFIGURATION)
    assert.ok(found)
    return { found, text: found.data?.[KEY] ?? '' }
  }
  const edit = async (change: (text: string) => string) => {
    const { found, text } = await configuration()
    const patch = JSON.stringify({ data: { [KEY]: change(text) } })
    workplace.kubectl('-n', 'istio-system', 'patch', 'configmap', found.metadata.name, '--type=merge', '-p', patch)
  }

  it('scrapes every pod once, over https, in a PERMISSIVE and in a STRICT namespace', async function () {
    this.timeout(180_000)
    assert.equal(await securePrometheus(cluster, workplace), true)
    const report = await readTargets(cluster)
    assert.deepEqual([report.up, report.total], [2, 2], JSON.stringify(report.pods))
    assert.deepEqual(report.pods.map(({ pod }) => pod.namespace).sort(), NAMESPACES)
    for (const { jobs, plaintextJobs } of report.pods)
      assert.deepEqual({ jobs, plaintextJobs }, { jobs: [SECURE_JOB], plaintextJobs: [] })
  })

  it('changes nothing the second time', async () => {
    assert.equal(await securePrometheus(cluster, workplace), false)
  })

  it('gets metrics with its own certificate, while strangers on new connections are refused', async () => {
    const pods = await securePods(cluster)
    const proofs = await proveScraping(
      pods.map((pod) => ({ pod, servedBy: 'own listener' })),
      {
        cluster,
        clock,
        askOverTls: (question, certificate) => askOverTls(question, certificate, { cluster, timers }),
        ...issuing,
      },
    )
    for (const { plaintext, anonymous, foreign, why, plaintextOpen } of proofs) {
      assert.deepEqual([plaintext, anonymous, foreign], ['refused', 'refused', 'refused'], why.join('; '))
      assert.deepEqual(plaintextOpen, [15090, 15020])
    }
    const file = (name: string) =>
      workplace.kubectl(
        '-n',
        'istio-system',
        'exec',
        'deployment/prometheus',
        '-c',
        'prometheus-server',
        '--',
        'cat',
        `/etc/istio-certs/${name}`,
      )
    const own = { certificate: file('cert-chain.pem'), key: file('key.pem') }
    for (const pod of pods)
      assert.deepEqual(
        await askOverTls({ pod, port: pod.port, path: METRICS_PATH, timeout: 5_000 }, own, { cluster, timers }),
        { status: 200, body: '' },
      )
  })

  it('still serves its page through the gateway, which uses mutual TLS with other sidecars', () => {
    const { exitCode, stdout } = workplace.telemetry('expose', 'prometheus', '--allow-anonymous', '-y', '-o', 'json')
    assert.equal(exitCode, 0, stdout)
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
  })

  it('is restored by cleanup without a difference', async () => {
    restore()
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  it('keeps a user’s later edit of prometheus.yml after cleanup, also in a second document, and nothing of kubectl telemetry', async function () {
    this.timeout(120_000)
    const before = await configuration()
    await securePrometheus(cluster, workplace)
    const mine = '# mine\n- job_name: mine\n  static_configs: [{targets: ["localhost:1"]}]\n'
    // Prometheus reads only the first document.
    const second = '---\n# the second\nsecond: {a: 1}   # mine\n'
    const edited = (text: string) => text.replace('scrape_configs:\n', `scrape_configs:\n${mine}`) + second
    await edit(edited)
    restore()
    const { text, found } = await configuration()
    assert.equal(text, edited(before.text))
    assert.deepEqual(found.metadata.annotations?.['kubectl-telemetry/before-scraping'], undefined)
    restoreObject(workplace, before.found)
  })

  it('is not changed when prometheus.yml is invalid: line and column are reported', async () => {
    const { found, text } = await configuration()
    await edit(() => `${text}\nbroken: [\n`)
    const start = dump(workplace)
    const line = text.split('\n').length + 2
    await assert.rejects(securePrometheus(cluster, workplace), {
      code: 'YAML_INVALID',
      message: new RegExp(`line ${line}, column \\d+`),
    })
    assert.deepEqual(difference(start, dump(workplace)), [])
    restoreObject(workplace, found)
  })
})
