import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { Progress } from '../../../src/changes/progress.ts'
import type { ConfigMap } from '../../../src/cluster/objects.ts'
import { CONFIG_MAPS } from '../../../src/cluster/resources.ts'
import { askWithCertificate, proveScraping } from '../../../src/scraping/proof.ts'
import { securePods } from '../../../src/scraping/scraper/await-targets.ts'
import { restoreEdited } from '../../../src/scraping/scraper/change.ts'
import { SECURE_JOB } from '../../../src/scraping/scraper/secure-job.ts'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import {
  clock,
  issuing,
  labCluster,
  secure,
  secureNamespace,
  targets,
  timers,
  writeBack,
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
    await restore()
    await cluster.close()
    workplace.kubectl('delete', 'namespace', ...NAMESPACES)
    workplace.end()
    workplace.rolledOut('prometheus')
  })

  const restore = () => restoreEdited(cluster, new Progress())
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
    assert.equal(await secure(cluster, workplace), true)
    const report = await targets(cluster)
    assert.deepEqual([report.up, report.total], [2, 2], JSON.stringify(report.pods))
    assert.deepEqual(report.pods.map(({ pod }) => pod.namespace).sort(), NAMESPACES)
    for (const { jobs, plaintextJobs } of report.pods)
      assert.deepEqual({ jobs, plaintextJobs }, { jobs: [SECURE_JOB], plaintextJobs: [] })
  })

  it('changes nothing the second time', async () => {
    assert.equal(await secure(cluster, workplace), false)
  })

  it('is refused by nobody but strangers: fresh connections, and its own certificate as the control', async () => {
    const pods = await securePods(cluster)
    const proofs = await proveScraping(
      pods.map((pod) => ({ pod, servedBy: 'own listener' })),
      { cluster, clock, timers, ...issuing },
    )
    for (const { clear, anonymous, stranger, why, plaintextOpen } of proofs) {
      assert.deepEqual([clear, anonymous, stranger], ['refused', 'refused', 'refused'], why.join('; '))
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
      assert.deepEqual(await askWithCertificate(pod, own, { cluster, timers }), { status: 200, body: '' })
  })

  it('goes on showing its page, behind the gateway too, which would speak mutual TLS to other sidecars', () => {
    const { exitCode, stdout } = workplace.telemetry('expose', 'prometheus', '--allow-anonymous', '-y', '-o', 'json')
    assert.equal(exitCode, 0, stdout)
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
  })

  it('is as before afterwards', async () => {
    await restore()
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  it('leaves what somebody wrote into prometheus.yml meanwhile, and nothing of ours', async function () {
    this.timeout(120_000)
    const before = await configuration()
    await secure(cluster, workplace)
    const mine = '# mine\n- job_name: mine\n  static_configs: [{targets: ["localhost:1"]}]\n'
    await edit((text) => text.replace('scrape_configs:\n', `scrape_configs:\n${mine}`))
    await restore()
    const { text, found } = await configuration()
    assert.equal(text, before.text.replace('scrape_configs:\n', `scrape_configs:\n${mine}`))
    assert.deepEqual(found.metadata.annotations?.['kubectl-telemetry/before-scraping'], undefined)
    writeBack(workplace, before.found)
  })

  it('says line and column of what cannot be read, and changes nothing', async () => {
    const { found, text } = await configuration()
    await edit(() => `${text}\nbroken: [\n`)
    const start = dump(workplace)
    const line = text.split('\n').length + 2
    await assert.rejects(secure(cluster, workplace), {
      code: 'YAML_INVALID',
      message: new RegExp(`line ${line}, column \\d+`),
    })
    assert.deepEqual(difference(start, dump(workplace)), [])
    writeBack(workplace, found)
  })
})
