import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'mocha'
import { loadBalancer } from '../lab/lab.ts'
import { FaultyApiServer, type ProxiedRequest } from './faulty-api-server.ts'
import { Workplace } from './mesh.ts'
import { assertOneError } from './one-error.ts'
import { ownObjects, runPlugin } from './plugin-runs.ts'

const EXPOSE = ['expose', 'all', '--allow-anonymous', '-y']
/** Secret, four VirtualServices, Gateway. */
const OBJECTS = 6

describe('an error after the first write, on the real mesh', () => {
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
    assert.deepEqual(ownObjects(workplace), [])
  })
  after(() => {
    server.close()
    workplace.end()
  })

  const throughProxy = (...words: string[]) =>
    runPlugin(workplace, ...words, '-y', '--kubeconfig', kubeconfig, '--request-timeout', '2s')

  /** Answers 500 to every read after the write with this number. */
  function unreadAfter(last: number): (passing: ProxiedRequest) => { status: number } | undefined {
    let written = false
    return ({ write, nth }) => {
      if (write && nth === last) written = true
      return written && !write ? { status: 500 } : undefined
    }
  }

  it('lists all objects that expose wrote, when its final read fails', async () => {
    server.reset(unreadAfter(OBJECTS))
    const outcome = await throughProxy(...EXPOSE)
    assertOneError(outcome, 'SERVER_FAILED', /gateway\.networking\.istio\.io\/kubectl-telemetry/)
    assert.match(outcome.stderr, /changed before that: virtualservice\S+, .*secret\/kubectl-telemetry-tls/)
  })

  it('names the object of expose’s first write, which may exist, when the answer is late', async () => {
    server.reset(({ write }) => (write ? 'slow' : undefined))
    const outcome = await throughProxy(...EXPOSE)
    assert.equal(ownObjects(workplace).length, 1)
    assertOneError(outcome, 'CLUSTER_UNREACHABLE', /virtualservice\.networking\.istio\.io\/kubectl-telemetry-/)
  })

  it('lists all objects that cleanup deleted, when its final read fails', async () => {
    assert.equal(workplace.telemetry(...EXPOSE).exitCode, 0)
    server.reset(unreadAfter(OBJECTS))
    const outcome = await throughProxy('cleanup')
    assert.deepEqual(ownObjects(workplace), [])
    assertOneError(outcome, 'SERVER_FAILED', /deleted before that: gateway\S+\/kubectl-telemetry, .*secret\//)
  })

  it('names the object of cleanup’s first delete, which may be deleted, when the answer is late', async () => {
    assert.equal(workplace.telemetry(...EXPOSE).exitCode, 0)
    server.reset(({ write }) => (write ? 'slow' : undefined))
    const outcome = await throughProxy('cleanup')
    assert.equal(ownObjects(workplace).length, OBJECTS - 1)
    assertOneError(outcome, 'CLUSTER_UNREACHABLE', /gateway\.networking\.istio\.io\/kubectl-telemetry/)
  })

  it('names the changed Gateway and the deleted route, when cleanup of one add-on fails at the certificate', async () => {
    assert.equal(workplace.telemetry(...EXPOSE).exitCode, 0)
    server.reset(({ write, nth }) => (write && nth === 3 ? { status: 503 } : undefined))
    const outcome = await throughProxy('cleanup', 'kiali')
    assertOneError(outcome, 'SERVER_FAILED', /gateway\.networking\.istio\.io\/kubectl-telemetry/)
    assert.match(outcome.stderr, /virtualservice\.networking\.istio\.io\/kubectl-telemetry-kiali/)
  })

  it('names the changed Gateway, when cleanup of one add-on fails at the route', async () => {
    assert.equal(workplace.telemetry(...EXPOSE).exitCode, 0)
    server.reset(({ write, nth }) => (write && nth === 2 ? { status: 503 } : undefined))
    const outcome = await throughProxy('cleanup', 'kiali')
    assertOneError(outcome, 'SERVER_FAILED', /gateway\.networking\.istio\.io\/kubectl-telemetry/)
  })
})
