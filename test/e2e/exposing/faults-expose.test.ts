import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { EXECUTED, type Fault, FaultyApiServer, PASSING, type ProxiedRequest } from '../faulty-api-server.ts'
import { type Outcome, Workplace } from '../mesh.ts'
import { assertOneError } from '../one-error.ts'
import { ownObjects, runPlugin } from '../plugin-runs.ts'

/** In the order in which expose writes them. */
const OBJECTS = [
  ...['grafana', 'kiali', 'prometheus', 'tracing'].map(
    (addon) => `virtualservice.networking.istio.io/kubectl-telemetry-${addon}`,
  ),
  'secret/kubectl-telemetry-tls',
  'gateway.networking.istio.io/kubectl-telemetry',
]

describe('expose all with a faulty API server, on the real mesh', () => {
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

  function expose(fault: FaultyApiServer['fault'], ...words: string[]): Promise<Outcome> {
    server.reset(fault)
    return runPlugin(workplace, 'expose', 'all', '--allow-anonymous', '-y', '--kubeconfig', kubeconfig, ...words)
  }

  /**
   * Each write of a run meets another fault. In the three runs every kind of object meets some that the API server has executed and some
   * that it has not; routes meet each of them.
   */
  for (const shift of [0, 2, 4]) {
    it(`repeats every write whose first attempt met one of ${PASSING.length} faults, and every page answers; from fault ${shift} on`, async () => {
      const { stdout, stderr, exitCode } = await expose(
        ({ write, nth, attempt }) => (write && attempt === 1 ? PASSING[(nth + shift) % PASSING.length] : undefined),
        ...['-o', 'json'],
      )
      assert.equal(exitCode, 0, stdout + stderr)
      const { exposures } = JSON.parse(stdout) as ExposeResult
      assert.deepEqual(
        exposures.map(({ probe }) => probe?.ok),
        [true, true, true, true],
      )
      assert.equal(server.injected, OBJECTS.length)
    })
  }

  it('repeats every read and rehearsal whose first attempt met 503', async () => {
    const { stderr, exitCode } = await expose(({ write, attempt }) =>
      !write && attempt === 1 ? { status: 503 } : undefined,
    )
    assert.equal(exitCode, 0, stderr)
    assert.ok(server.injected > OBJECTS.length, `${server.injected} faults`)
  })

  it('repeats the parallel requests of the rehearsal after their connection broke', async () => {
    let broken = false
    const { stderr, exitCode } = await expose(({ write, method }) => {
      if (write || method !== 'PATCH' || broken) return undefined
      broken = true
      return 'cut after'
    })
    assert.equal(exitCode, 0, stderr)
    assert.equal(server.injected, 1)
  })

  const lasting: [title: string, from: number, fault: Fault, code: string][] = [
    ['500', 1, { status: 500 }, 'SERVER_FAILED'],
    ['429 with Retry-After', 2, { status: 429, headers: { 'retry-after': '1' } }, 'SERVER_FAILED'],
    ['connections that break before the request', 3, 'cut before', 'CLUSTER_UNREACHABLE'],
    ['connections that break before the answer', 4, 'cut after', 'CLUSTER_UNREACHABLE'],
    ['answers that come too late', 5, 'slow', 'CLUSTER_UNREACHABLE'],
    ['503', 6, { status: 503 }, 'SERVER_FAILED'],
  ]
  for (const [title, from, fault, code] of lasting) {
    it(`ends with one error that lists the changed objects: ${title}, from write ${from} on`, async () => {
      const outcome = await expose(
        ({ write, nth }) => (write && nth >= from ? fault : undefined),
        ...['--request-timeout', '2s'],
      )
      const done = OBJECTS.slice(0, from - 1)
      const says = new RegExp(`; changed before that: ${done.join(', ')}(?![,/])`)
      assertOneError(outcome, code, done.length > 0 ? says : /injected 500 \(/)
      const count = EXECUTED.includes(fault) ? from : from - 1
      assert.deepEqual(ownObjects(workplace), OBJECTS.slice(0, count).sort())
    })
  }

  const unread: [title: string, of: (passing: ProxiedRequest) => boolean, fault: Fault, code: string][] = [
    ['500 for every list of Services', ({ path }) => path === '/api/v1/services', { status: 500 }, 'SERVER_FAILED'],
    ['lists of pods that come too late', ({ path }) => path.endsWith('/pods'), 'slow', 'CLUSTER_UNREACHABLE'],
    [
      'connections that break at every rehearsal',
      ({ method }) => method === 'PATCH',
      'cut after',
      'CLUSTER_UNREACHABLE',
    ],
    [
      '503 for every rehearsal of the Gateway',
      ({ method, path }) => method === 'PATCH' && path.includes('/gateways/'),
      { status: 503 },
      'SERVER_FAILED',
    ],
  ]
  for (const [title, of, fault, code] of unread) {
    it(`ends with one error and changes nothing: ${title}`, async () => {
      const outcome = await expose((passing) => (of(passing) ? fault : undefined), ...['--request-timeout', '2s'])
      assertOneError(outcome, code)
      assert.doesNotMatch(outcome.stderr, /changed before that/)
      assert.deepEqual(ownObjects(workplace), [])
    })
  }
})
