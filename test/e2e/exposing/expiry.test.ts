import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import { parseAllDocuments } from 'yaml'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { exposeForAnyone } from '../exposed.ts'
import { Workplace } from '../mesh.ts'
import { ownObjects } from '../plugin-runs.ts'
import { ALL_WELL, startTenant, tenantStatuses } from '../tenant.ts'

const WHILE_RUNNING = ['expose', 'grafana', 'kiali', '--while-running', '--allow-anonymous', '-y', '--layout', 'ports']
const ACCOUNT = 'system:serviceaccount:istio-system:telemetry-expiry'
/** Milliseconds. The promise is 5 s; a busy machine is slower. */
const SOON = 15_000

describe('exposures that end, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
  })
  afterEach(() => {
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
  after(() => workplace.end())

  /** Starts a run and waits until its stderr matches. */
  async function startUntil(
    pattern: RegExp,
    words: string[],
  ): Promise<{ child: ChildProcess; ended: Promise<number | null> }> {
    const child = spawn('kubectl-telemetry', words, { env: workplace.environment, stdio: ['ignore', 'ignore', 'pipe'] })
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    let stderr = ''
    await new Promise<void>((resolve, reject) => {
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        stderr += text
        if (pattern.test(stderr)) resolve()
      })
      child.once('close', () => reject(new Error(`it ended: ${stderr}`)))
    })
    return { child, ended }
  }

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    it(`with --while-running leave nothing after ${signal}`, async () => {
      const { child, ended } = await startUntil(/exposed until/, WHILE_RUNNING)
      assert.equal(ownObjects(workplace).length, 4)
      const started = performance.now()
      child.kill(signal)
      assert.equal(await ended, 0)
      const took = performance.now() - started
      assert.deepEqual(difference(untouched, dump(workplace)), [])
      assert.ok(took < SOON, `${took} ms`)
    })

    it(`with --while-running leave nothing after ${signal} between two writes; the exit code is 130`, async () => {
      const { child, ended } = await startUntil(/^PATCH \S+\/virtualservices\/\S+ .* ms$/m, [...WHILE_RUNNING, '-v'])
      child.kill(signal)
      assert.equal(await ended, 130)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })
  }

  it('with --while-running leave nothing after Ctrl-C on a terminal, or after the terminal was closed', async () => {
    const { screen, exitCode } = await workplace.onTerminal(WHILE_RUNNING, [{ prompt: /exposed until/, type: '\x03' }])
    assert.equal(exitCode, 0, screen)
    assert.match(screen, /gateway\.networking\.istio\.io "kubectl-telemetry" deleted/)
    assert.deepEqual(difference(untouched, dump(workplace)), [])

    const command = WHILE_RUNNING.join(' ')
    const terminal = spawn('script', ['-qec', `kubectl-telemetry ${command}`, '/dev/null'], {
      env: workplace.environment,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await new Promise<void>((resolve) => {
      let screen = ''
      terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
        screen += text
        if (screen.includes('exposed until')) resolve()
      })
    })
    terminal.kill('SIGKILL')
    for (let waited = 0; ownObjects(workplace).length > 0 && waited < SOON; waited += 200) await sleep(200)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  it('expire by --ttl after SIGKILL, and cleanup --expired removes only the expired one', async () => {
    const neighbour = await startTenant(workplace)
    const withNeighbour = dump(workplace)
    try {
      assert.equal(workplace.telemetry('expose', 'tracing', '--allow-anonymous', '-y').exitCode, 0)
      const before = ownObjects(workplace)
      const words = ['expose', 'grafana', '--allow-cidr', '10.0.0.0/8', '--while-running', '--ttl', '8s', '-y']
      const { child, ended } = await startUntil(/exposed until/, words)
      child.kill('SIGKILL')
      await ended
      const { stdout } = workplace.telemetry('expose', 'grafana', '--dry-run=server', '-o', 'yaml')
      const [, expiresAt = ''] = /kubectl-telemetry\/expires-at: "?([^"\n]+)/.exec(stdout) ?? []
      await sleep(Math.max(Date.parse(expiresAt) - Date.now(), 0))
      const cleaned = workplace.telemetry('cleanup', '--expired', '-y')
      assert.equal(cleaned.exitCode, 0, cleaned.stderr)
      assert.match(cleaned.stdout, /authorizationpolicy.*"kubectl-telemetry-grafana" deleted/)
      assert.deepEqual(ownObjects(workplace), before)
      assert.deepEqual(tenantStatuses(), ALL_WELL)
      assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
      assert.deepEqual(difference(withNeighbour, dump(workplace)), [])
    } finally {
      neighbour.remove()
    }
  })

  it('are removed with the permissions of the CronJob in docs/expiry.md, whose objects the API server accepts', async () => {
    const [, text = ''] = /```yaml\n(.*?)```/s.exec(readFileSync('docs/expiry.md', 'utf8')) ?? []
    const objects = parseAllDocuments(text).map((document) => document.toJS() as { kind: string })
    assert.equal(objects.length, 6)
    workplace.apply(...objects)
    try {
      const expose = (...words: string[]) => exposeForAnyone(workplace, ...words)
      const expired = async ({ exposures }: ExposeResult) => {
        await sleep(Math.max(...exposures.map(({ expiresAt = '' }) => Date.parse(expiresAt) - Date.now()), 0))
        return workplace.telemetry('cleanup', '--expired', '-y', '--as', ACCOUNT)
      }
      expose('kiali', '--layout', 'ports')
      const one = await expired(expose('grafana', '--ttl', '1s', '--allow-cidr', '10.0.0.0/8'))
      assert.equal(one.exitCode, 0, one.stderr)
      assert.match(one.stdout, /virtualservice.*"kubectl-telemetry-grafana" deleted/)
      const last = await expired(expose('kiali', '--ttl', '1s'))
      assert.equal(last.exitCode, 0, last.stderr)
      assert.deepEqual(ownObjects(workplace), [])
    } finally {
      workplace.delete(...objects)
    }
  })
})
