import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'mocha'
import { loadBalancer } from '../lab/lab.ts'
import { FaultyApiServer, type Passing } from './faulty-api-server.ts'
import { Workplace } from './mesh.ts'
import { assertOneError } from './one-error.ts'
import { ours, running } from './plugin-runs.ts'

const EXPOSE = ['expose', 'all', '--allow-anonymous', '-y']
/** Secret, four VirtualServices, Gateway. */
const OBJECTS = 6

describe('an error after the first write says what was, or may have been, changed; on the real mesh', () => {
  const workplace = new Workplace()
  const kubeconfig = join(workplace.directory, 'kubeconfig')
  let server: FaultyApiServer

  before(async () => {
    await loadBalancer('on')
    server = await FaultyApiServer.start()
    server.writeKubeConfig(kubeconfig)
  })
  afterEach(() => {
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(ours(workplace), [])
  })
  after(() => {
    server.close()
    workplace.end()
  })

  const throughProxy = (...words: string[]) =>
    running(workplace, ...words, '-y', '--kubeconfig', kubeconfig, '--request-timeout', '2s')

  /** 500 for whatever is read once the write of this number has passed. */
  function unreadAfter(last: number): (passing: Passing) => { status: number } | undefined {
    let written = false
    return ({ write, nth }) => {
      if (write && nth === last) written = true
      return written && !write ? { status: 500 } : undefined
    }
  }

  it('expose whose last look fails names all that it wrote', async () => {
    server.reset(unreadAfter(OBJECTS))
    const outcome = await throughProxy(...EXPOSE)
    assertOneError(outcome, 'SERVER_FAILED', /gateway\.networking\.istio\.io\/kubectl-telemetry/)
    assert.match(outcome.stderr, /changed before that: secret\/kubectl-telemetry-tls/)
  })

  it('expose whose first write got no answer in time names it, since it may be there', async () => {
    server.reset(({ write }) => (write ? 'slow' : undefined))
    const outcome = await throughProxy(...EXPOSE)
    assert.deepEqual(ours(workplace), ['secret/kubectl-telemetry-tls'])
    assertOneError(outcome, 'CLUSTER_UNREACHABLE', /secret\/kubectl-telemetry-tls/)
  })

  it('cleanup whose last look fails names all that it deleted', async () => {
    assert.equal(workplace.telemetry(...EXPOSE).exitCode, 0)
    server.reset(unreadAfter(OBJECTS))
    const outcome = await throughProxy('cleanup')
    assert.deepEqual(ours(workplace), [])
    assertOneError(outcome, 'SERVER_FAILED', /deleted before that: gateway\S+\/kubectl-telemetry, .*secret\//)
  })

  it('cleanup whose first delete got no answer in time names it, since it may be gone', async () => {
    assert.equal(workplace.telemetry(...EXPOSE).exitCode, 0)
    server.reset(({ write }) => (write ? 'slow' : undefined))
    const outcome = await throughProxy('cleanup')
    assert.equal(ours(workplace).length, OBJECTS - 1)
    assertOneError(outcome, 'CLUSTER_UNREACHABLE', /gateway\.networking\.istio\.io\/kubectl-telemetry/)
  })

  it('cleanup of one add-on that fails at the certificate names the Gateway it changed and the route it deleted', async () => {
    assert.equal(workplace.telemetry(...EXPOSE).exitCode, 0)
    server.reset(({ write, nth }) => (write && nth === 3 ? { status: 503 } : undefined))
    const outcome = await throughProxy('cleanup', 'kiali')
    assertOneError(outcome, 'SERVER_FAILED', /gateway\.networking\.istio\.io\/kubectl-telemetry/)
    assert.match(outcome.stderr, /virtualservice\.networking\.istio\.io\/kubectl-telemetry-kiali/)
  })

  it('cleanup of one add-on that fails at the route names the Gateway it changed', async () => {
    assert.equal(workplace.telemetry(...EXPOSE).exitCode, 0)
    server.reset(({ write, nth }) => (write && nth === 2 ? { status: 503 } : undefined))
    const outcome = await throughProxy('cleanup', 'kiali')
    assertOneError(outcome, 'SERVER_FAILED', /gateway\.networking\.istio\.io\/kubectl-telemetry/)
  })
})
