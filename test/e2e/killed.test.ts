import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, describe, it } from 'mocha'
import { loadBalancer } from '../lab/lab.ts'
import { difference, dump } from './dump.ts'
import { Workplace } from './mesh.ts'

const GRAFANA_KIALI = ['expose', 'grafana', 'kiali', '--allow-anonymous', '-y']
/** What is written: first tried by the API server, then done. Secret, two VirtualServices, Gateway; and the Service. */
const CASES = [
  { layout: 'hosts', objects: 4, restores: 0 },
  { layout: 'ports', objects: 5, restores: 1 },
]

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

  for (const { layout, objects, restores } of CASES) {
    const expose = [...GRAFANA_KIALI, '--layout', layout]

    for (let write = 1; write <= objects; write++) {
      it(`in expose --layout ${layout}, after write ${write} of ${objects}: cleanup leaves nothing`, async () => {
        assert.ok(await killedAfter(expose, 'PATCH', objects + write))
        assert.ok(difference(untouched, dump(workplace)).length >= write)
        assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
        assert.deepEqual(difference(untouched, dump(workplace)), [])
      })
    }

    for (let write = 1; write <= objects; write++) {
      it(`in cleanup of ${layout}, after write ${write} of ${objects}: a second cleanup leaves nothing`, async () => {
        assert.equal(workplace.telemetry(...expose).exitCode, 0)
        const method = write <= restores ? 'PATCH' : 'DELETE'
        assert.ok(await killedAfter(['cleanup', '-y'], method, write <= restores ? write : write - restores))
        assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
        assert.deepEqual(difference(untouched, dump(workplace)), [])
      })
    }
  }
})
