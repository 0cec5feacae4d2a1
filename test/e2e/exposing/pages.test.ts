/** An exposed page as people use it: in a browser that trusts the CA, with the password, behind Prometheus' allow list. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { after, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { Browser } from '../browser.ts'
import { Workplace } from '../mesh.ts'
import { awaitSamples } from '../prometheus-api.ts'

const HOSTS = { domain: `${loadBalancerAddress}.nip.io`, address: loadBalancerAddress }
const URL_OF_PROMETHEUS = `https://prometheus.${HOSTS.domain}/`
const SCREENSHOT = fileURLToPath(new URL('../../../docs/prometheus.png', import.meta.url))

/** All that its menu leads to, and a text that it shows only with the answer of the API. */
const PAGES: Record<string, RegExp> = {
  alerts: /No rules found/,
  targets: /kubernetes-api-servers.*1 \/ 1 up/s,
  rules: /No rules found/,
  'service-discovery': /__meta_kubernetes_/,
  status: /Storage retention/i,
  'tsdb-status': /Number of Series/,
  flags: /--web\.enable-lifecycle\s+true/,
  config: /scrape_configs:/,
  'alertmanager-discovery': /No active alertmanagers found/,
}

describe('Prometheus in a browser, behind the gateway, on the real mesh', () => {
  const workplace = new Workplace()
  let ca: string | undefined
  let browser: Browser
  let credentials: { user: string; password: string }

  before(async function () {
    this.timeout(400_000)
    await loadBalancer('on')
    const { stdout, stderr, exitCode } = workplace.telemetry(
      ...['expose', 'prometheus', '--auth', 'basic', '-y', '-o', 'json'],
    )
    assert.equal(exitCode, 0, stderr)
    const result = JSON.parse(stdout) as ExposeResult
    assert.ok(result.credentials)
    credentials = result.credentials
    ca = result.authority?.certificate
    browser = await Browser.start(workplace, { ca, hosts: HOSTS })
    // The pages show this job, which is scraped every 15 seconds.
    assert.ok(await awaitSamples(workplace, 'up{job="kubernetes-api-servers"} == 1'))
  })
  after(async () => {
    await browser?.end()
    workplace.end()
  })

  const focus = () => browser.evaluate("document.querySelector('.cm-content').focus()")

  it('does not open in a browser that does not trust the CA', async () => {
    const stranger = await Browser.start(workplace, { hosts: HOSTS })
    await assert.rejects(stranger.open(URL_OF_PROMETHEUS, credentials), /ERR_CERT_AUTHORITY_INVALID/)
    await stranger.end()
  })

  it('asks for the password', async () => {
    const visitor = await Browser.start(workplace, { ca, hosts: HOSTS })
    await visitor.open(URL_OF_PROMETHEUS)
    await visitor.shows(/User authentication failed/)
    assert.equal(visitor.exchanges[0]?.status, 401)
    await visitor.end()
  })

  it('runs a query and shows its result', async () => {
    await browser.open(URL_OF_PROMETHEUS, credentials)
    await browser.shows(/No data queried yet/)
    await focus()
    await browser.type('up{job="prometheus"}')
    await browser.click('Execute')
    await browser.shows(/Result series: 1\b.*up\{instance="localhost:9090", job="prometheus"\}\s+1\b/s)
  })

  it('completes what is typed, from the metrics and labels that Prometheus has', async () => {
    await browser.open(`${URL_OF_PROMETHEUS}query`, credentials)
    await browser.shows(/No data queried yet/)
    await focus()
    await browser.type('scrape_dur')
    await browser.shows(/scrape_duration_seconds/)
    await browser.type('ation_seconds{jo')
    await browser.shows(/\njob\n/)
    await browser.type('b="kubernetes-')
    await browser.shows(/\nkubernetes-api-servers\n/)
  })

  it('draws a graph, and takes a query apart', async () => {
    const query = encodeURIComponent('max by (job) (scrape_duration_seconds)')
    await browser.open(`${URL_OF_PROMETHEUS}query?g0.expr=${query}&g0.tab=graph&g0.range_input=5m`, credentials)
    await browser.shows(/\{job="kubernetes-api-servers"\}/)
    if (process.env.UPDATE_SCREENSHOTS === '1') writeFileSync(SCREENSHOT, await browser.screenshot())
    await browser.click('Show query options')
    await browser.click('Show tree view')
    await browser.shows(/max by ?\(job\).*\d+ results/s)
  })

  it('shows all its pages, and the gateway refuses nothing that they ask for', async () => {
    for (const [page, wanted] of Object.entries(PAGES)) {
      await browser.open(URL_OF_PROMETHEUS + page, credentials)
      await browser.shows(wanted)
    }
    const api = browser.exchanges.filter(({ url }) => url.includes('/api/v1/'))
    assert.ok(api.length > Object.keys(PAGES).length, `only ${api.length} requests were seen`)
    assert.deepEqual(
      browser.exchanges.filter(({ status }) => status >= 400),
      [],
    )
    assert.deepEqual(browser.exceptions, [])
  })
})
