import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { EXECUTED, type Fault, FaultyApiServer, PASSING } from '../faulty-api-server.ts'
import { type Outcome, Workplace } from '../mesh.ts'
import { assertOneError } from '../one-error.ts'
import { ownObjects, runPlugin } from '../plugin-runs.ts'

/** In the order in which cleanup deletes them. */
const OBJECTS = [
  'gateway.networking.istio.io/kubectl-telemetry',
  ...['grafana', 'kiali', 'prometheus', 'tracing'].map(
    (addon) => `virtualservice.networking.istio.io/kubectl-telemetry-${addon}`,
  ),
  'secret/kubectl-telemetry-tls',
]

describe('cleanup with a faulty API server, on the real mesh', () => {
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
    assert.deepEqual(ownObjects(workplace), [])
  })
  after(() => {
    server.close()
    workplace.end()
    assert.deepEqual(difference(untouched, dump(workplace)), [], 'a plain cleanup left something')
  })

  function cleanup(fault: FaultyApiServer['fault'], ...words: string[]): Promise<Outcome> {
    server.reset(fault)
    return runPlugin(workplace, 'cleanup', ...words, '-y', '--kubeconfig', kubeconfig, '--request-timeout', '2s')
  }

  /**
   * Each delete of a run meets another fault. In the three runs every kind of object meets some that the API server has executed and some
   * that it has not; routes meet each of them.
   */
  for (const shift of [0, 2, 4]) {
    it(`repeats every delete whose first attempt met one of ${PASSING.length} faults, and removes everything; from fault ${shift} on`, async () => {
      const { stdout, stderr, exitCode } = await cleanup(({ write, nth, attempt }) =>
        write && attempt === 1 ? PASSING[(nth + shift) % PASSING.length] : undefined,
      )
      assert.equal(exitCode, 0, stderr)
      assert.equal(stdout.trim().split('\n').length, OBJECTS.length)
      assert.equal(server.injected, OBJECTS.length)
      assert.deepEqual(ownObjects(workplace), [])
    })
  }

  it('repeats every read whose first attempt met 503', async () => {
    const { stderr, exitCode } = await cleanup(({ write, attempt }) =>
      !write && attempt === 1 ? { status: 503 } : undefined,
    )
    assert.equal(exitCode, 0, stderr)
    assert.ok(server.injected >= 3, `${server.injected} faults`)
    assert.deepEqual(ownObjects(workplace), [])
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
    it(`ends with one error that lists the deleted objects: ${title}, from delete ${from} on`, async () => {
      const outcome = await cleanup(({ write, nth }) => (write && nth >= from ? fault : undefined))
      const done = OBJECTS.slice(0, from - 1)
      const says = new RegExp(`; deleted before that: ${done.join(', ')}(?![,/])`)
      assertOneError(outcome, code, done.length > 0 ? says : /injected 503 \(/)
      const gone = EXECUTED.includes(fault) ? from : from - 1
      assert.deepEqual(ownObjects(workplace), OBJECTS.slice(gone).sort())
    })
  }

  it('ends with one error and deletes nothing: 500 for every list of Gateways', async () => {
    const outcome = await cleanup(({ path }) => (path.endsWith('/gateways') ? { status: 500 } : undefined))
    assertOneError(outcome, 'SERVER_FAILED')
    assert.doesNotMatch(outcome.stderr, /deleted before that/)
    assert.deepEqual(ownObjects(workplace), [...OBJECTS].sort())
  })

  it('of one add-on removes its host from the Gateway, and its route, when the first attempt of every write met 503', async () => {
    // The CA signs only for clusters that this machine knows, by the certificate of their API server too: here it is that of the faulty one.
    server.reset(() => undefined)
    await runPlugin(workplace, 'expose', 'kiali', '--allow-anonymous', '-y', '--kubeconfig', kubeconfig)
    const { stderr, exitCode } = await cleanup(
      ({ write, attempt }) => (write && attempt === 1 ? { status: 503 } : undefined),
      'kiali',
    )
    assert.equal(exitCode, 0, stderr)
    assert.equal(server.injected, 3)
    assert.deepEqual(ownObjects(workplace), OBJECTS.filter((name) => !name.endsWith('kiali')).sort())
  })
})
