import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, describe, it } from 'mocha'
import { loadBalancer } from '../lab/lab.ts'
import { difference, dump } from './dump.ts'
import { Workplace } from './mesh.ts'

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

  /** Kills the run as soon as its n-th write has been answered. @returns whether it was killed */
  function killedAfter(words: string[], n: number): Promise<boolean> {
    return new Promise((resolve) => {
      const child = spawn('kubectl-telemetry', [...words, '-v'], {
        env: workplace.environment,
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      let seen = ''
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        seen += text
        const writes = seen.split('\n').filter((line) => /^(PATCH|PUT|DELETE) .* ms$/.test(line))
        if (writes.length >= n) child.kill('SIGKILL')
      })
      child.once('close', (_code, signal) => resolve(signal === 'SIGKILL'))
    })
  }

  for (let write = 1; write <= EXPOSING; write++) {
    it(`in expose, after write ${write} of ${EXPOSING}: cleanup leaves nothing`, async () => {
      assert.ok(await killedAfter(EXPOSE, write))
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
      assert.ok(await killedAfter(['cleanup', '-y'], write))
      assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })
  }
})
