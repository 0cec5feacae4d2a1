import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { killAfterWrite } from '../killed-run.ts'
import { Workplace } from '../mesh.ts'

/**
 * All objects that expose can write. The unit tests kill the same run after each of its writes (test/cleaning/cut-off.test.ts); here once
 * after the first write of each kind, for what the API server does with it.
 */
const GUARDED = ['--allow-cidr', '192.0.2.0/24', '--auth', 'basic', '--ttl', '8h']
const EXPOSE = ['expose', 'grafana', 'kiali', ...GUARDED, '-y', '--layout', 'ports', '--link']
const EXPOSE_OBJECTS = 11
const EXPOSE_WRITES = 13
/** The objects before the routes are opened. */
const BEFORE_OPENING = 9
/** Of 13; the tests of cleanup begin after the last one. */
const EXPOSE_KILLS = {
  'the Service': 1,
  'an EnvoyFilter': 2,
  'an AuthorizationPolicy': 3,
  'a closed route': 6,
  'the Secret': 8,
  'the Gateway': 9,
  'an open route': 10,
  'Kiali’s ConfigMap': 12,
}
/** Of 12; with the Secret, the last one, all is done. */
const CLEANUP_KILLS = {
  'the values of Kiali’s ConfigMap': 1,
  'Kiali’s Deployment': 2,
  'the record in Kiali’s ConfigMap': 3,
  'the Service': 4,
  'the Gateway': 5,
  'a route': 6,
  'an AuthorizationPolicy': 8,
  'an EnvoyFilter': 10,
}

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

  for (const [what, write] of Object.entries(EXPOSE_KILLS)) {
    it(`of expose after ${what} is undone by cleanup`, async () => {
      assert.ok(await killAfterWrite(workplace, EXPOSE, write))
      assert.ok(difference(untouched, dump(workplace)).length >= Math.min(write, BEFORE_OPENING))
      assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })
  }

  for (const [what, write] of Object.entries(CLEANUP_KILLS)) {
    it(`of cleanup after ${what} is completed by a second cleanup`, async () => {
      // --link restarts Kiali, whose page does not matter here: the run ends with its last write.
      assert.ok(await killAfterWrite(workplace, EXPOSE, EXPOSE_WRITES))
      assert.ok(difference(untouched, dump(workplace)).length >= EXPOSE_OBJECTS)
      assert.ok(await killAfterWrite(workplace, ['cleanup', '-y'], write))
      assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })
  }
})
