/** The real Zipkin from its installation to the page of a trace in a browser: an exposure lets through what that page needs, and no more. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { after, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import type { InstallResult } from '../../../src/installing/result.ts'
import type { TracingResult } from '../../../src/tracing/result.ts'
import { addons, importAddonImages, loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { until } from '../../lab/progress.ts'
import { BOOKINFO, bookinfo, endBookinfo, startBookinfo } from '../bookinfo.ts'
import { Browser } from '../browser.ts'
import { difference, dump } from '../dump.ts'
import { exposeForAnyone } from '../exposed.ts'
import { Workplace } from '../mesh.ts'
import { awaitZipkinSpans, type ZipkinSpan } from '../zipkin-api.ts'

const JAEGER = fileURLToPath(new URL('../../../src/samples/1.31/jaeger.yaml', import.meta.url))
const HOSTS = { domain: `${loadBalancerAddress}.nip.io`, address: loadBalancerAddress }
const ZIPKIN = `https://tracing.${HOSTS.domain}`

/** Who reports a span: each of two proxies for every call, and the gateway for the request that it gets and the one that it makes. */
const SPANS = [
  ...['details', 'istio-ingressgateway', 'istio-ingressgateway', 'productpage', 'productpage', 'productpage'],
  ...['ratings', 'reviews', 'reviews'],
]
const SERVICES = [...new Set(SPANS)]
/** Requests, until every proxy has the settings. */
const ATTEMPTS = 4

/** What its pages ask for, below /zipkin/api/v2. */
const API = ['autocompleteKeys', 'dependencies', 'remoteServices', 'services', 'spans', 'trace', 'traces']

/** What Zipkin serves on the port of its page, and does not serve to visitors. */
const REFUSED = [
  ['POST', '/api/v2/spans'],
  ['POST', '/zipkin/api/v2/spans'],
  ['GET', '/metrics'],
  ['GET', '/prometheus'],
  ['GET', '/zipkin/%2e%2e/metrics'],
  ['GET', '/zipkin/..%2fmetrics'],
] as const

describe('Zipkin, on the real mesh', function () {
  this.timeout('2m') // pods start

  const workplace = new Workplace()
  let untouched: Map<string, string>
  let ca: string
  let credentials: { user: string; password: string }
  let browser: Browser
  let trace: string

  before(async function () {
    this.timeout('8m') // the first run installs Maven, a JDK and Chromium where they are missing
    await loadBalancer('on')
    await importAddonImages(['extras/zipkin'])
    workplace.kubectl('delete', '--ignore-not-found', '-f', JAEGER)
    untouched = dump(workplace)
    // It starts while Zipkin is installed.
    workplace.apply(...bookinfo())
  })
  after(async () => {
    await browser?.end()
    succeeds('tracing', 'off', '-y')
    succeeds('cleanup', '-y')
    succeeds('addons', 'uninstall', '-y')
    endBookinfo(workplace)
    const left = difference(untouched, dump(workplace))
    await addons(['jaeger'])
    workplace.end()
    assert.deepEqual(left, [])
  })

  function succeeds(...words: string[]): string {
    const { stdout, stderr, exitCode } = workplace.telemetry(...words)
    assert.equal(exitCode, 0, stdout + stderr)
    return stdout
  }

  /** Asks through the gateway. @returns the status, and where it redirects to */
  function ask(url: string, ...more: string[]): string {
    const { host, hostname } = new URL(url)
    assert.equal(host, hostname)
    const to = ['--cacert', ca, '--resolve', `${hostname}:443:${loadBalancerAddress}`, '--path-as-is', '-m', '10', url]
    const { stdout, stderr } = workplace.run('curl', [
      '-sS',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code} %header{location}',
      ...more,
      ...to,
    ])
    assert.equal(stderr, '')
    const [status = '', location = ''] = stdout.split(' ')
    return location === '' ? status : `${status} ${new URL(location, url).href}`
  }
  const entering = () => ['-u', `${credentials.user}:${credentials.password}`]

  it('is installed, and exposed with a password at /zipkin/, to which / and /zipkin lead', () => {
    const installed = JSON.parse(succeeds('addons', 'install', 'zipkin', '-y', '-o', 'json')) as InstallResult
    assert.deepEqual(
      installed.addons.map(({ name, action, ready }) => [name, action, ready?.ready]),
      [['zipkin', 'installed', 1]],
    )
    const result = JSON.parse(succeeds('expose', 'tracing', '--auth', 'basic', '-y', '-o', 'json')) as ExposeResult
    assert.ok(result.authority && result.credentials)
    ca = result.authority.certificate
    credentials = result.credentials
    assert.deepEqual(
      result.exposures.map(({ addon, url, probe }) => [addon, url, probe?.ok]),
      [['tracing', `${ZIPKIN}/zipkin/`, true]],
    )
    assert.equal(ask(`${ZIPKIN}/zipkin/`), '401')
    assert.equal(ask(`${ZIPKIN}/zipkin/`, ...entering()), '200')
    for (const path of ['/', '/zipkin']) assert.equal(ask(ZIPKIN + path, ...entering()), `302 ${ZIPKIN}/zipkin/`)
  })

  /** Opens the application's page in a new trace. @returns the spans that Zipkin has of it */
  async function openPage(url: string): Promise<ZipkinSpan[]> {
    trace = randomBytes(16).toString('hex')
    const headers = { 'X-B3-Traceid': trace, 'X-B3-Spanid': randomBytes(8).toString('hex'), 'X-B3-Sampled': '1' }
    assert.equal(ask(url, ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])), '200')
    return awaitZipkinSpans(workplace, trace, SPANS.length)
  }

  it('has the trace of one request that went through the gateway and four services', async () => {
    startBookinfo(workplace)
    const [page] = exposeForAnyone(workplace, 'svc/productpage', '-n', BOOKINFO, '--path', '/productpage').exposures
    assert.ok(page)
    // Only requests that come with a decision are recorded.
    const on = ['tracing', 'on', '--sampling', '0', '--probe', page.url, '-y', '-o', 'json']
    const { revisions, proof } = JSON.parse(succeeds(...on)) as TracingResult
    assert.deepEqual([revisions.map(({ provider }) => provider.kind), proof?.ok], [['zipkin'], true])
    let spans: ZipkinSpan[] = []
    for (let attempt = 0; attempt < ATTEMPTS && spans.length < SPANS.length; attempt++) spans = await openPage(page.url)
    assert.deepEqual(spans.map(({ localEndpoint }) => localEndpoint.serviceName.replace(/\..*/, '')).sort(), SPANS)
    assert.deepEqual([...new Set(spans.map(({ traceId }) => traceId))], [trace])
  })

  it('shows this trace in a browser, with its services and the number of its spans', async () => {
    browser = await Browser.start(workplace, { ca, hosts: HOSTS })
    await browser.open(`${ZIPKIN}/zipkin/traces/${trace}`, credentials)
    await browser.shows(
      new RegExp(`Services\\s+${SERVICES.length}\\s+Total Spans\\s+${SPANS.length}\\s+Trace ID\\s+${trace}`),
    )
    const text = await browser.text()
    for (const service of SERVICES) assert.match(text, new RegExp(`^${service}\\.[a-z-]+: `, 'm'))
  })

  it('finds it by the name of a service, and the gateway refuses nothing that the pages ask for', async () => {
    await browser.open(`${ZIPKIN}/zipkin/?serviceName=reviews.${BOOKINFO}`, credentials)
    await browser.click('RUN QUERY')
    await browser.shows(new RegExp(`Results?\\b.*istio-ingressgateway.*\\s${SPANS.length}\\s`, 's'))
    await browser.open(`${ZIPKIN}/zipkin/dependency`, credentials)
    await browser.click('RUN QUERY')
    const asked = () =>
      browser.exchanges.flatMap(({ url }) => /^https:[^?]*\/zipkin\/api\/v2\/(\w+)/.exec(url)?.[1] ?? []).sort()
    await until('the pages ask the API', async () => assert.deepEqual([...new Set(asked())], API), 20)
    assert.deepEqual(
      browser.exchanges.filter(({ status }) => status >= 400),
      [],
    )
    assert.deepEqual(browser.exceptions, [])
  })

  it('takes no spans from visitors, and shows them none of its own metrics', () => {
    for (const [method, path] of REFUSED)
      assert.equal(ask(ZIPKIN + path, ...entering(), '-X', method), '403', `${method} ${path}`)
    assert.match(
      workplace.kubectl('get', '--raw', `/api/v1/namespaces/istio-system/services/http:zipkin:9411/proxy/prometheus`),
      /^zipkin_collector_spans_total/m,
    )
  })
})
