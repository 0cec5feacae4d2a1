/** `traffic` on the real mesh: what it sends is what the mesh records. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import type { TrafficResult } from '../../../src/traffic/result.ts'
import { BOOKINFO, endBookinfo, startBookinfo } from '../bookinfo.ts'
import { difference, dump } from '../dump.ts'
import { exposeForAnyone } from '../exposed.ts'
import { type Outcome, Workplace } from '../mesh.ts'
import { MeshSettings } from '../mesh-settings.ts'
import { WIRE, waitUntilReady } from '../mesh-workloads.ts'
import { runPlugin } from '../plugin-runs.ts'
import { counted } from '../prometheus-api.ts'
import { requestMetrics } from '../request-metrics.ts'

const PROVIDER = {
  name: 'lab-otlp',
  opentelemetry: { service: 'jaeger-collector.istio-system.svc.cluster.local', port: 4317 },
}
/** A tenth of the requests is traced. */
const SAMPLED = {
  apiVersion: 'telemetry.istio.io/v1',
  kind: 'Telemetry',
  metadata: { name: 'traffic-test', namespace: 'istio-system' },
  spec: { tracing: [{ providers: [{ name: PROVIDER.name }], randomSamplingPercentage: 10 }] },
}
/** Of 1,000 requests with a tenth traced: the range that holds 99.9 % of all runs (binomial distribution). */
const TRACES = { least: 70, most: 132 }
const STRICT = {
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: { name: 'default', namespace: BOOKINFO },
  spec: { mtls: { mode: 'STRICT' } },
}
const SLOW = 'slow'

/** A server that answers `/wait?ms=` after so long. */
function slowServer(): object[] {
  const labels = { app: SLOW }
  const metadata = { name: SLOW, namespace: BOOKINFO }
  const containers = [{ name: SLOW, image: WIRE, imagePullPolicy: 'IfNotPresent', ports: [{ containerPort: 8080 }] }]
  const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 0, containers } }
  return [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { selector: { matchLabels: labels }, template } },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports: [{ name: 'http', port: 8080 }] } },
  ]
}

describe('traffic, on the real mesh', function () {
  this.timeout(120_000)
  const workplace = new Workplace()
  let untouched: Map<string, string>
  let settings: MeshSettings

  before(async () => {
    untouched = dump(workplace)
    settings = new MeshSettings(workplace)
    settings.addProviders(PROVIDER)
    workplace.apply(SAMPLED, requestMetrics())
    startBookinfo(workplace)
    workplace.apply(...slowServer())
    waitUntilReady(workplace, BOOKINFO, `deploy/${SLOW}`)
    exposeForAnyone(workplace, 'svc/details', '-n', BOOKINFO)
  })
  after(() => {
    workplace.telemetry('cleanup', '-y')
    workplace.delete(SAMPLED, requestMetrics())
    endBookinfo(workplace)
    settings.restore()
    workplace.end()
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  function result({ stdout, stderr, exitCode }: Outcome, code = 0): TrafficResult {
    assert.equal(exitCode, code, stdout + stderr)
    return JSON.parse(stdout) as TrafficResult
  }
  const traffic = async (...words: string[]) => runPlugin(workplace, 'traffic', ...words, '-o', 'json')

  /** Waits until Prometheus has what was sent before, so that it is not counted in the next run. */
  async function atRest(): Promise<void> {
    const query = `sum(istio_requests_total{destination_workload_namespace="${BOOKINFO}"})`
    for (let [last, calm] = [-1, 0]; calm < 4; await sleep(1_000)) {
      const now = counted(workplace, query)
      calm = now === last ? calm + 1 : 0
      last = now
    }
  }

  it('sends 1,000 requests: Prometheus has 1,000, and a tenth of them are traces in Jaeger', async () => {
    await atRest()
    // Without a target: the only exposure.
    const words = ['--rate', '50', '--concurrency', '16', '--path', '/details/0']
    const { target, sent, rate, statuses, errors, seen, outcome, warnings } = result(await traffic(...words))
    assert.deepEqual([target.name, target.gateway], ['svc/details', 'istio-system/istio-ingressgateway'])
    assert.deepEqual([outcome, sent, statuses, errors], ['completed', 1_000, { 200: 1_000 }, []])
    assert.ok(rate > 49 && rate < 51, `${rate} a second`)
    const { prometheus = 0, traces = 0 } = seen
    assert.ok(Math.abs(prometheus - 1_000) <= 2, `Prometheus has ${prometheus}; ${JSON.stringify(warnings)}`)
    assert.ok(traces >= TRACES.least && traces <= TRACES.most, `${traces} traces; ${JSON.stringify(warnings)}`)
  })

  it('has a live line on a terminal, and ends at Ctrl-C with the summary and exit code 130', async () => {
    const live = /\d+\/1000 {2}\d+\.\d\/s {2}p50 [\d.]+ ms {2}p99 [\d.]+ ms {2}\d+ s left/
    const words = ['traffic', 'svc/details', '-n', BOOKINFO]
    const { screen, exitCode } = await workplace.onTerminal(words, [{ prompt: live, type: '\u0003' }])
    assert.equal(exitCode, 130, screen)
    assert.match(screen, /requests +\d+ of 1000 in .*; interrupted/)
    assert.match(screen, /STATUS +REQUESTS/)
  })

  it('measures what a server of known latency takes', async () => {
    exposeForAnyone(workplace, `svc/${SLOW}`, '-n', BOOKINFO)
    // Two of fifty requests take 400 ms, the others 60.
    const paths = Array.from({ length: 50 }, (_, at) => ['--path', `/wait?ms=${at % 25 === 3 ? 400 : 60}`]).flat()
    const words = [`svc/${SLOW}`, '-n', BOOKINFO, '--requests', '200', '--rate', '40', '--concurrency', '16', ...paths]
    const { latency, statuses } = result(await traffic(...words, '--prometheus', 'none'))
    assert.deepEqual(statuses, { 200: 200 })
    const { p50 = 0, p99 = 0 } = latency ?? {}
    // Two proxies and other work of the machine are between them: within 2 ms it is measured in test/probing/web-sender.test.ts.
    assert.ok(p50 >= 60 && p50 < 250 && p99 >= 400, `p50 ${p50} ms, p99 ${p99} ms`)
  })

  it('stops when the server dies half-way, exits with 1, and has no live line without a terminal', async () => {
    const words = [`svc/${SLOW}`, '-n', BOOKINFO, '--path', '/wait?ms=1', '--requests', '600', '--rate', '50']
    const running = runPlugin(workplace, 'traffic', ...words, '--prometheus', 'none')
    await sleep(3_000)
    workplace.kubectl('-n', BOOKINFO, 'scale', `deploy/${SLOW}`, '--replicas=0')
    const { stdout, stderr, exitCode } = await running
    assert.equal(exitCode, 1)
    const [, good = 0, bad = 0] = /^200 +(\d+)\n503 +(\d+)$/m.exec(stdout)?.map(Number) ?? []
    assert.ok(good >= 50 && bad >= 10 && bad <= 60 && good + bad < 600, stdout)
    assert.match(stdout, /; stopped$/m)
    assert.match(stderr, /^error: .* so the run was stopped \(TRAFFIC_FAILED\)\n/)
    assert.doesNotMatch(stdout + stderr, / s left/)
  })

  it('ends at a signal with the summary in JSON', async () => {
    const words = ['traffic', 'svc/details', '-n', BOOKINFO, '--path', '/details/0', '-o', 'json']
    const child = spawn('kubectl-telemetry', words, {
      env: workplace.environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    await sleep(4_000)
    child.kill('SIGTERM')
    const [code] = (await once(child, 'close')) as [number]
    const { outcome, sent, statuses, errors } = JSON.parse(stdout) as TrafficResult
    assert.deepEqual([code, outcome, errors], [130, 'interrupted', []])
    assert.ok(sent > 5 && sent < 100 && (statuses[200] ?? 0) >= sent - 4, stdout)
  })

  it('goes through the API server to a Service that is not exposed, and the mesh counts it', async () => {
    const words = ['svc/ratings', '-n', BOOKINFO, '--path', '/ratings/0', '--requests', '60']
    const { code, suggestions } = JSON.parse((await traffic(...words)).stdout).error
    assert.equal(code, 'TRAFFIC_NOT_EXPOSED')
    assert.match(suggestions.join('\n'), /--via api-server/)
    await atRest()
    const { statuses, seen, warnings } = result(await traffic(...words, '--via', 'api-server'))
    assert.deepEqual([statuses, seen.prometheus, warnings], [{ 200: 60 }, 60, []])
  })

  it('is refused under STRICT, where the API server really gets no answer', async () => {
    workplace.apply(STRICT)
    const words = ['svc/ratings', '-n', BOOKINFO, '--path', '/ratings/0', '--via', 'api-server', '--requests', '5']
    const { error } = JSON.parse((await traffic(...words)).stdout)
    assert.equal(error.code, 'TRAFFIC_STRICT')
    const raw = `/api/v1/namespaces/${BOOKINFO}/services/http:ratings:9080/proxy/ratings/0`
    const refused = () => workplace.run('kubectl', ['get', '--raw', raw]).exitCode !== 0
    for (let tries = 0; tries < 20 && !refused(); tries++) await sleep(500)
    assert.ok(refused(), 'the proxy still accepts plaintext')
    workplace.delete(STRICT)
  })

  const wrong: [words: string, code: string][] = [
    ['https://example.org', 'TRAFFIC_HOST_FOREIGN'],
    ['--rate 0', 'TRAFFIC_LIMIT'],
    ['--rate 1e6', 'TRAFFIC_LIMIT'],
    ['--requests 0', 'TRAFFIC_LIMIT'],
    ['https://productpage.example.org --ingress-ip 192.0.2.1', 'TRAFFIC_HOST_FOREIGN'],
  ]
  for (const [words, code] of wrong)
    it(`refuses "traffic ${words}" with exit code 2`, async () => {
      const { stdout, exitCode } = await traffic(...words.split(' '))
      assert.deepEqual([JSON.parse(stdout).error.code, exitCode], [code, 2])
    })
})
