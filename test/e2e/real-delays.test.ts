/**
 * The lab shortens what Istio and its samples wait for (test/lab/delays.ts, test/lab/istio.ts). Here Kiali takes half a minute to start,
 * Prometheus scrapes every 15 s, and the gateway lets older connections live for 45 s. The samples are the packaged ones.
 */
import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { after, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../src/exposing/result.ts'
import type { InstallResult } from '../../src/installing/result.ts'
import type { ScrapeSecureResult } from '../../src/scraping/result.ts'
import { addons, loadBalancer } from '../lab/lab.ts'
import { difference, dump } from './dump.ts'
import { Workplace } from './mesh.ts'
import { meshNamespace, meshWorkload, waitUntilReady } from './mesh-workloads.ts'
import { runPlugin } from './plugin-runs.ts'

const SAMPLES = ['kiali', 'prometheus']
const NAMESPACE = 'real-delays'
const packaged = (name: string) => fileURLToPath(new URL(`../../src/samples/1.31/${name}.yaml`, import.meta.url))
const PROXY_CONFIG = '/spec/template/metadata/annotations/proxy.istio.io~1config'

describe('with the delays that Istio’s samples have, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    workplace.apply(...meshNamespace(NAMESPACE), ...meshWorkload({ name: 'web', namespace: NAMESPACE }))
    await loadBalancer('on')
    workplace.kubectl('delete', ...SAMPLES.flatMap((name) => ['-f', packaged(name)]))
    const install = await runPlugin(workplace, 'addons', 'install', ...SAMPLES, '-y', '-o', 'json')
    assert.equal(install.exitCode, 0, install.stdout + install.stderr)
    const installed = (JSON.parse(install.stdout) as InstallResult).addons
    assert.deepEqual(
      installed.map(({ name, ready }) => [name, ready?.ready]).sort(),
      SAMPLES.map((name) => [name, 1]),
    )
    waitUntilReady(workplace, NAMESPACE, 'deploy/web')
    untouched = dump(workplace)
  })
  after(async () => {
    workplace.telemetry('cleanup', '--scraping', '-y')
    workplace.telemetry('cleanup', '-y')
    workplace.telemetry('addons', 'uninstall', '-y')
    workplace.kubectl('delete', 'namespace', NAMESPACE)
    workplace.end()
    await addons(SAMPLES)
  })

  const sample = (kind: string, name: string) =>
    workplace.kubectl('-n', 'istio-system', 'get', kind, name, '-o', 'jsonpath={.data}{.spec.template.spec}')

  const configureGateway = (patch: object) => {
    const deployment = ['-n', 'istio-system', 'patch', 'deployment', 'istio-ingressgateway', '--type=json']
    workplace.kubectl(...deployment, '-p', JSON.stringify([{ path: PROXY_CONFIG, ...patch }]))
    workplace.waitForRollout('istio-ingressgateway')
  }

  it('are in the mesh', () => {
    assert.match(sample('deployment', 'kiali'), /"startupProbe":\{[^}]*\{[^}]*\},"initialDelaySeconds":30,/)
    assert.match(sample('configmap', 'prometheus'), /global:\\n( [^\\]*\\n)* +scrape_interval: 15s\\n/)
  })

  it('expose --link waits for the Kiali that it has restarted', async () => {
    const words = ['expose', 'kiali', 'grafana', '--link', '--allow-anonymous', '-y', '-o', 'json']
    const { stdout, stderr, exitCode } = await runPlugin(workplace, ...words)
    assert.equal(exitCode, 0, stdout + stderr)
    const { exposures } = JSON.parse(stdout) as ExposeResult
    assert.deepEqual(
      exposures.map(({ addon, probe }) => [addon, probe?.status]),
      [
        ['kiali', 200],
        ['grafana', 200],
      ],
    )
    assert.equal((await runPlugin(workplace, 'cleanup', '-y')).exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  // At the same time, since both mostly wait; each changes objects that the other does not touch.
  it('expose waits until the gateway has closed older connections, and scrape-secure until Prometheus has scraped every target', async () => {
    configureGateway({ op: 'add', value: 'drainDuration: 45s\n' })
    try {
      await Promise.all([exposeOverHttp(), scrapeAndClean()])
    } finally {
      configureGateway({ op: 'remove' })
    }
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  /** A guarded route over HTTP opens when no connection is older than its guard. */
  async function exposeOverHttp(): Promise<void> {
    const open = await runPlugin(workplace, 'expose', 'kiali', '--insecure', '--allow-anonymous', '-y')
    assert.equal(open.exitCode, 0, open.stdout + open.stderr)
    const words = ['expose', 'grafana', '--insecure', '--auth', 'basic', '-y', '-o', 'json']
    const { stdout, stderr, exitCode } = await runPlugin(workplace, ...words)
    assert.equal(exitCode, 0, stdout + stderr)
    assert.match(stderr, /waiting 45 s until the gateway has closed older ones/)
    assert.equal((JSON.parse(stdout) as ExposeResult).exposures[0]?.probe?.status, 200)
    assert.equal((await runPlugin(workplace, 'cleanup', '-y')).exitCode, 0)
  }

  /** Prometheus starts again with the new configuration. */
  async function scrapeAndClean(): Promise<void> {
    const scrape = await runPlugin(workplace, 'scrape-secure', '-n', NAMESPACE, '-y', '-o', 'json')
    assert.equal(scrape.exitCode, 0, scrape.stdout + scrape.stderr)
    const { targets } = JSON.parse(scrape.stdout) as ScrapeSecureResult
    assert.deepEqual([targets?.up, targets?.total], [1, 1])
    const cleanup = await runPlugin(workplace, 'cleanup', '--scraping', '-y')
    assert.equal(cleanup.exitCode, 0, cleanup.stdout + cleanup.stderr)
  }
})
