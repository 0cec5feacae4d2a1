import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { CARRIED_OUT, type Fault, FaultyApiServer } from '../faulty-api-server.ts'
import { type Outcome, Workplace } from '../mesh.ts'
import { assertOneError } from '../one-error.ts'
import { ours, running } from '../plugin-runs.ts'

/** In the order in which they go. */
const OBJECTS = [
  'gateway.networking.istio.io/kubectl-telemetry',
  ...['grafana', 'kiali', 'prometheus', 'tracing'].map(
    (addon) => `virtualservice.networking.istio.io/kubectl-telemetry-${addon}`,
  ),
  'secret/kubectl-telemetry-tls',
]

describe('cleanup behind an API server that misbehaves, on the real mesh', () => {
  const workplace = new Workplace()
  const kubeconfig = join(workplace.directory, 'kubeconfig')
  let server: FaultyApiServer
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    server = await FaultyApiServer.start()
    server.writeKubeConfig(kubeconfig)
    untouched = dump(workplace)
  })
  beforeEach(() => {
    const { stderr, exitCode } = workplace.telemetry('expose', 'all', '--allow-anonymous', '-y')
    assert.equal(exitCode, 0, stderr)
  })
  afterEach(() => {
    const { stderr, exitCode } = workplace.telemetry('cleanup', '-y')
    assert.equal(exitCode, 0, stderr)
    assert.deepEqual(ours(workplace), [])
  })
  after(() => {
    server.close()
    workplace.end()
    assert.deepEqual(difference(untouched, dump(workplace)), [], 'a plain cleanup left something')
  })

  function cleanup(fault: FaultyApiServer['fault'], ...words: string[]): Promise<Outcome> {
    server.reset(fault)
    return running(workplace, 'cleanup', ...words, '-y', '--kubeconfig', kubeconfig, '--request-timeout', '2s')
  }

  const passing: [title: string, fault: Fault][] = [
    ['429 with Retry-After', { status: 429, headers: { 'retry-after': '1' } }],
    ['500', { status: 500 }],
    ['503', { status: 503 }],
    ['a connection that breaks before the request', 'cut before'],
    ['a connection that breaks before the answer', 'cut after'],
    ['a connection that breaks in the middle of the answer', 'cut half-way'],
  ]
  for (const [title, fault] of passing) {
    it(`${title}, at the first try of every delete: tried again, and all of it goes`, async () => {
      const { stdout, stderr, exitCode } = await cleanup(({ write, attempt }) =>
        write && attempt === 1 ? fault : undefined,
      )
      assert.equal(exitCode, 0, stderr)
      assert.equal(stdout.trim().split('\n').length, OBJECTS.length)
      assert.equal(server.injected, OBJECTS.length)
      assert.deepEqual(ours(workplace), [])
    })
  }

  it('503 at the first try of everything that is read: tried again', async () => {
    const { stderr, exitCode } = await cleanup(({ write, attempt }) =>
      !write && attempt === 1 ? { status: 503 } : undefined,
    )
    assert.equal(exitCode, 0, stderr)
    assert.ok(server.injected >= 3, `${server.injected} faults`)
    assert.deepEqual(ours(workplace), [])
  })

  const lasting: [title: string, from: number, fault: Fault, code: string][] = [
    ['503', 1, { status: 503 }, 'SERVER_FAILED'],
    ['connections that break before the answer', 2, 'cut after', 'CLUSTER_UNREACHABLE'],
    ['429 with Retry-After', 3, { status: 429, headers: { 'retry-after': '1' } }, 'SERVER_FAILED'],
    ['connections that break before the request', 4, 'cut before', 'CLUSTER_UNREACHABLE'],
    ['answers that come too late', 5, 'slow', 'CLUSTER_UNREACHABLE'],
    ['500', 6, { status: 500 }, 'SERVER_FAILED'],
  ]
  for (const [title, from, fault, code] of lasting) {
    it(`${title}, from delete ${from} on: one error, which says what had gone`, async () => {
      const outcome = await cleanup(({ write, nth }) => (write && nth >= from ? fault : undefined))
      const done = OBJECTS.slice(0, from - 1)
      const says = new RegExp(`; deleted before that: ${done.join(', ')}(?![,/])`)
      assertOneError(outcome, code, done.length > 0 ? says : /injected 503 \(/)
      const gone = CARRIED_OUT.includes(fault) ? from : from - 1
      assert.deepEqual(ours(workplace), OBJECTS.slice(gone).sort())
    })
  }

  it('500 for every list of Gateways: one error, and nothing goes', async () => {
    const outcome = await cleanup(({ path }) => (path.endsWith('/gateways') ? { status: 500 } : undefined))
    assertOneError(outcome, 'SERVER_FAILED')
    assert.doesNotMatch(outcome.stderr, /deleted before that/)
    assert.deepEqual(ours(workplace), [...OBJECTS].sort())
  })

  it('cleanup of one add-on, 503 at the first try of every write: the Gateway shrinks, one route goes', async () => {
    const { stderr, exitCode } = await cleanup(
      ({ write, attempt }) => (write && attempt === 1 ? { status: 503 } : undefined),
      'kiali',
    )
    assert.equal(exitCode, 0, stderr)
    assert.equal(server.injected, 3)
    assert.deepEqual(ours(workplace), OBJECTS.filter((name) => !name.endsWith('kiali')).sort())
  })
})
