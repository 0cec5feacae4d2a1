import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { killAfterWrite } from '../killed-run.ts'
import { Workplace } from '../mesh.ts'

/**
 * All objects that expose can write: the Service; Secret, two AuthorizationPolicies, two EnvoyFilters, two VirtualServices, Gateway;
 * Kiali's ConfigMap (cleanup writes it twice) and Deployment. Routes with a guard are written closed, and then open.
 */
const GUARDED = ['--allow-cidr', '192.0.2.0/24', '--auth', 'basic', '--ttl', '8h']
const EXPOSE = ['expose', 'grafana', 'kiali', ...GUARDED, '-y', '--layout', 'ports', '--link']
const EXPOSE_OBJECTS = 11
const EXPOSE_WRITES = 13
/** The objects before the routes are opened. */
const BEFORE_OPENING = 9
const CLEANUP_WRITES = 12

describe('a run that is killed, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
  })
  after(() => {
    workplace.end()
    workplace.waitForRollout('kiali')
  })

  for (let write = 1; write <= EXPOSE_WRITES; write++) {
    it(`of expose after write ${write} of ${EXPOSE_WRITES} is undone by cleanup`, async () => {
      assert.ok(await killAfterWrite(workplace, EXPOSE, write))
      assert.ok(difference(untouched, dump(workplace)).length >= Math.min(write, BEFORE_OPENING))
      assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })
  }

  for (let write = 1; write <= CLEANUP_WRITES; write++) {
    it(`of cleanup after write ${write} of ${CLEANUP_WRITES} is completed by a second cleanup`, async () => {
      // --link restarts Kiali, whose page does not matter here: the run ends with its last write.
      assert.ok(await killAfterWrite(workplace, EXPOSE, EXPOSE_WRITES))
      assert.ok(difference(untouched, dump(workplace)).length >= EXPOSE_OBJECTS)
      assert.ok(await killAfterWrite(workplace, ['cleanup', '-y'], write))
      assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })
  }
})
