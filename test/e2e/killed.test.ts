import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, describe, it } from 'mocha'
import { loadBalancer } from '../lab/lab.ts'
import { difference, dump } from './dump.ts'
import { Workplace } from './mesh.ts'

const EXPOSE = ['expose', 'grafana', 'kiali', '--allow-anonymous', '-y']
/** Secret, two VirtualServices, Gateway: first tried by the API server, then written. */
const OBJECTS = 4

describe('a run that is killed (SIGKILL), on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
  })
  after(() => workplace.end())

  /** Kills the run as soon as its n-th request of this kind has been answered. @returns whether it was killed */
  function killedAfter(words: string[], method: 'PATCH' | 'DELETE', n: number): Promise<boolean> {
    return new Promise((resolve) => {
      const child = spawn('kubectl-telemetry', [...words, '-v'], {
        env: workplace.environment,
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      let seen = ''
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        seen += text
        if ((seen.match(new RegExp(`^${method} .*\\n`, 'gm')) ?? []).length >= n) child.kill('SIGKILL')
      })
      child.once('close', (_code, signal) => resolve(signal === 'SIGKILL'))
    })
  }

  for (let write = 1; write <= OBJECTS; write++) {
    it(`in expose, after write ${write} of ${OBJECTS}: cleanup leaves nothing`, async () => {
      assert.ok(await killedAfter(EXPOSE, 'PATCH', OBJECTS + write))
      assert.ok(difference(untouched, dump(workplace)).length >= write)
      assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })
  }

  for (let write = 1; write <= OBJECTS; write++) {
    it(`in cleanup, after delete ${write} of ${OBJECTS}: a second cleanup leaves nothing`, async () => {
      assert.equal(workplace.telemetry(...EXPOSE).exitCode, 0)
      assert.ok(await killedAfter(['cleanup', '-y'], 'DELETE', write))
      assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })
  }
})
