/** A short soak test: 600 connections and 6 pods. `npm run bench -- soak` is the long one. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { RunningForward } from '../forwarding.ts'
import { Workplace } from '../mesh.ts'
import { soak } from '../soak.ts'
import { WIRE_HTTP, wireServer } from '../wire-server.ts'

const NAMESPACE = 'wire-soak'

describe('port-forward over a long time, on the real mesh', () => {
  const workplace = new Workplace()

  before(() => {
    workplace.apply(...wireServer(NAMESPACE))
    workplace.kubectl('-n', NAMESPACE, 'rollout', 'status', 'deployment/wire', '--timeout=60s')
  })
  after(() => {
    workplace.kubectl('delete', 'namespace', NAMESPACE)
    workplace.end()
  })

  it('leaks no socket and no memory over 600 connections and 6 pods, and loses only what a killed pod was answering', async () => {
    const forwarding = await RunningForward.start(workplace, `svc/wire:${WIRE_HTTP}`, '-n', NAMESPACE, '-p', '3470')
    try {
      const { before, half, after, served, failed, pods } = await soak(workplace, forwarding, {
        namespace: NAMESPACE,
        connections: 600,
        restarts: 5,
      })
      assert.deepEqual([served + failed.length, pods], [540, 6])
      // Only requests to killed pods may fail.
      assert.deepEqual(
        failed.filter((why) => !/ECONNRESET|aborted/.test(why)),
        [],
      )
      assert.ok(failed.length <= 40, `${failed.length} failed`)
      // There are at most eight tunnels, and about two without traffic.
      assert.ok(after.sockets <= before.sockets, `${before.sockets} sockets before, ${after.sockets} after`)
      assert.ok(after.rss < half.rss + 40, `${half.rss} MiB at half-time, ${after.rss} after`)
      assert.equal((await forwarding.interrupt()).exitCode, 0)
    } finally {
      forwarding.child.kill('SIGKILL')
    }
  })
})
