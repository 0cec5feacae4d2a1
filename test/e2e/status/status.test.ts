import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, describe, it } from 'mocha'
import type { StatusReport } from '../../../src/status/report.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'

describe('status, on the real mesh', () => {
  const workplace = new Workplace()
  const look = (...words: string[]): StatusReport => {
    const { stdout, stderr, exitCode } = workplace.telemetry('status', '-o', 'json', ...words)
    const report = JSON.parse(stdout) as StatusReport
    assert.equal(exitCode, report.problems.some(({ severity }) => severity === 'fails') ? 1 : 0, stderr)
    return report
  }
  const of = (report: StatusReport, name: string) => report.addons.find((addon) => addon.name === name)
  const codes = ({ problems }: StatusReport) =>
    problems.map(({ code }) => code).filter((code) => code !== 'DNS_UNRESOLVED')

  afterEach(() => workplace.telemetry('cleanup', '-y'))
  after(() => workplace.end())

  it('reports exposures, their guards, and that they answer', () => {
    workplace.telemetry('expose', 'grafana', '--auth', 'basic', '-y')
    workplace.telemetry('expose', 'prometheus', '--allow-anonymous', '--ttl', '8h', '-y')
    const report = look()
    const [grafana, prometheus, kiali] = ['grafana', 'prometheus', 'kiali'].map((name) => of(report, name))
    assert.deepEqual(grafana?.access.guard, { login: { kind: 'basic', users: ['telemetry'] } })
    assert.deepEqual([grafana?.exposure?.probe?.ok, grafana?.exposure?.probe?.status], [true, 401])
    assert.deepEqual([prometheus?.exposure?.probe?.status, prometheus?.access.anonymous], [302, true])
    assert.ok(Date.parse(prometheus?.expiresAt ?? '') > Date.now())
    assert.deepEqual([kiali?.found?.ready, kiali?.exposure], [1, undefined])
    assert.ok((grafana?.certificate?.daysLeft ?? 0) > 390)
    assert.deepEqual(codes(report), [])
  })

  it('reports an expired exposure, until cleanup --expired removes only that one', async () => {
    workplace.telemetry('expose', 'grafana', '--allow-anonymous', '-y')
    workplace.telemetry('expose', 'kiali', '--allow-anonymous', '--ttl', '1s', '-y')
    await sleep(1_000)
    assert.deepEqual(codes(look()), ['EXPOSURE_EXPIRED'])
    workplace.telemetry('cleanup', '--expired', '-y')
    const report = look()
    assert.deepEqual(codes(report), [])
    assert.deepEqual([of(report, 'grafana')?.exposure?.probe?.status, of(report, 'kiali')?.exposure], [200, undefined])
  })

  it('reports that the gateway cannot reach an add-on', () => {
    workplace.telemetry('expose', 'grafana', '--allow-anonymous', '-y')
    workplace.kubectl('-n', 'istio-system', 'scale', 'deployment/grafana', '--replicas=0')
    workplace.kubectl('-n', 'istio-system', 'wait', '--for=delete', 'pod', '-l', 'app.kubernetes.io/name=grafana')
    try {
      assert.deepEqual(codes(look()).sort(), ['ADDON_NOT_READY', 'PROBE_FAILED'])
    } finally {
      workplace.kubectl('-n', 'istio-system', 'scale', 'deployment/grafana', '--replicas=1')
      workplace.waitForRollout('grafana')
    }
  })

  it('reports leftovers of an exposure whose Gateway was deleted, and cleanup removes them', () => {
    const untouched = dump(workplace)
    workplace.telemetry('expose', 'grafana', '--auth', 'basic', '-y')
    workplace.telemetry('expose', 'kiali', '--allow-cidr', '203.0.113.0/24', '-y')
    workplace.kubectl('-n', 'istio-system', 'delete', 'gateways.networking.istio.io', 'kubectl-telemetry')
    const report = look()
    assert.deepEqual([report.gateway, codes(report)], [undefined, ['EXPOSURE_LEFTOVERS']])
    const [{ message = '', remedies = [] } = {}] = report.problems
    for (const kind of ['VirtualService', 'AuthorizationPolicy', 'EnvoyFilter', 'Secret'])
      assert.ok(message.includes(`${kind} kubectl-telemetry-`), message)
    const certificates = workplace.telemetry('cert', 'status')
    assert.equal(certificates.exitCode, 1)
    assert.match(certificates.stderr, /\(EXPOSURE_LEFTOVERS\)/)
    const [command = ''] = remedies
    assert.match(command, /^kubectl telemetry cleanup +#/)
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
    assert.deepEqual(codes(look()), [])
    assert.equal(workplace.telemetry('cert', 'status').exitCode, 0)
  })

  it('reports missing read permissions', () => {
    assert.deepEqual(codes(look('--as', 'nobody')), ['STATUS_UNREAD'])
  })

  it('reports changes with --watch until it is interrupted', async () => {
    const child = spawn('kubectl-telemetry', ['status', '--watch', '-o', 'json'], {
      env: workplace.environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const next = async () => of(JSON.parse((await lines.next()).value ?? '{}'), 'tracing')?.exposure !== undefined
    assert.equal(await next(), false)
    workplace.telemetry('expose', 'tracing', '--allow-anonymous', '-y')
    assert.equal(await next(), true)
    const closed = once(child, 'close')
    child.kill('SIGINT')
    assert.deepEqual(await closed, [0, null])
  })
})
