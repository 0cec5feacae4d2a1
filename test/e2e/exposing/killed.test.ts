import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { killedAfter } from '../killed-run.ts'
import { Workplace } from '../mesh.ts'

/**
 * All that can be written: the Service; Secret, two AuthorizationPolicies, two EnvoyFilters, two VirtualServices, Gateway; Kiali's
 * ConfigMap (in cleanup twice) and Deployment.
 */
const GUARDED = ['--allow-cidr', '192.0.2.0/24', '--auth', 'basic', '--ttl', '8h']
const EXPOSE = ['expose', 'grafana', 'kiali', ...GUARDED, '-y', '--layout', 'ports', '--link']
const EXPOSING = 11
const CLEANING = 12

describe('a run that is killed (SIGKILL), on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
  })
  after(() => {
    workplace.end()
    workplace.rolledOut('kiali')
  })

  for (let write = 1; write <= EXPOSING; write++) {
    it(`in expose, after write ${write} of ${EXPOSING}: cleanup leaves nothing`, async () => {
      assert.ok(await killedAfter(workplace, EXPOSE, write))
      assert.ok(difference(untouched, dump(workplace)).length >= write)
      assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })
  }

  for (let write = 1; write <= CLEANING; write++) {
    it(`in cleanup, after write ${write} of ${CLEANING}: a second one leaves nothing`, async () => {
      // Kiali is restarted by --link, and takes half a minute to start: its page is not waited for.
      workplace.telemetry(...EXPOSE, '--timeout', '100ms')
      assert.ok(difference(untouched, dump(workplace)).length >= EXPOSING)
      assert.ok(await killedAfter(workplace, ['cleanup', '-y'], write))
      assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })
  }
})
