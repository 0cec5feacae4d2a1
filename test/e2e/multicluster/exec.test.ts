/** Programs in containers of the real cluster, over WebSocket and, behind a gateway that refuses it, over SPDY. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import type { ProgramEnd } from '../../../src/cluster/cluster.ts'
import { KubeCluster } from '../../../src/cluster/kube-cluster.ts'
import { execInside } from '../../../src/forwarding/tunnel/exec-inside.ts'
import { up } from '../../lab/lab.ts'
import { NarrowGateway } from '../api-server-proxies.ts'
import { Workplace } from '../mesh.ts'
import { CLIENT, endNamespaces, sleep, start } from '../two-clusters.ts'

const NAMESPACE = 'exec-e2e'
const LARGEST = 64 * 1024
const TIMERS = {
  now: () => performance.now(),
  after: (milliseconds: number, act: () => void) => {
    const timer = setTimeout(act, milliseconds)
    return () => clearTimeout(timer)
  },
}

describe('programs in containers', () => {
  let workplace: Workplace
  let narrow: NarrowGateway | undefined
  let pod: string
  const clusters = new Map<string, KubeCluster>()

  before(async function () {
    this.timeout('20m')
    // The images with a shell and programs come with the second cluster.
    await up({ clusters: 2 })
    workplace = new Workplace()
    start(workplace, sleep(NAMESPACE, { image: CLIENT }))
    pod = workplace.kubectl('-n', NAMESPACE, 'get', 'pods', '-l', 'app=sleep', '-o=jsonpath={.items[0].metadata.name}')
    narrow = await NarrowGateway.start('websocket')
    const behind = join(workplace.directory, 'narrow-kubeconfig')
    writeFileSync(behind, narrow.kubeConfig())
    clusters.set('WebSocket', connected(String(workplace.environment.KUBECONFIG)))
    clusters.set('SPDY', connected(behind))
  })

  after(async () => {
    await Promise.all([...clusters.values()].map((cluster) => cluster.close()))
    narrow?.close()
    endNamespaces(workplace, NAMESPACE)
    workplace.end()
  })

  function connected(file: string, impersonate: { user?: string } = {}): KubeCluster {
    const choice = { file, environment: {} }
    return new KubeCluster(choice, { impersonate, timeout: 30_000, environment: {}, fewRequests: false })
  }

  function run(over: string, argv: string[], more: { container?: string; timeout?: number } = {}): Promise<ProgramEnd> {
    const cluster = clusters.get(over) ?? assert.fail(over)
    const program = { pod: { namespace: NAMESPACE, name: pod }, container: 'sleep', timeout: 20_000, ...more, argv }
    return execInside(program, { cluster, timers: TIMERS })
  }

  for (const over of ['WebSocket', 'SPDY']) {
    it(`end with their exit code and both outputs, over ${over}`, async () => {
      const whole = { stdout: false, stderr: false }
      assert.deepEqual(await run(over, ['sh', '-c', 'echo out; echo wrong >&2']), {
        exitCode: 0,
        stdout: 'out\n',
        stderr: 'wrong\n',
        cut: whole,
      })
      const end = await run(over, ['sh', '-c', 'echo $1; exit 3', 'sh', 'a b&c'])
      assert.deepEqual(end, { exitCode: 3, stdout: 'a b&c\n', stderr: '', cut: whole })
    })

    it(`keep the first bytes of a long output, over ${over}`, async () => {
      const script = 'i=0; while [ $i -lt 32768 ]; do printf "%031d\\n" $i; i=$((i+1)); done'
      const end = await run(over, ['sh', '-c', `(${script}); (${script}) >&2`])
      const text = Array.from({ length: LARGEST / 32 }, (_, line) => `${String(line).padStart(31, '0')}\n`).join('')
      assert.ok('exitCode' in end, JSON.stringify(end))
      const sum = (one: string) => createHash('sha256').update(one).digest('hex')
      assert.deepEqual([end.exitCode, end.cut], [0, { stdout: true, stderr: true }])
      assert.deepEqual([sum(end.stdout), sum(end.stderr)], [sum(text), sum(text)])
    })

    it(`are told apart from those that the container does not have, over ${over}`, async () => {
      for (const program of ['no-such-program', '/no/such/program']) {
        const end = await run(over, [program])
        assert.ok('failed' in end && end.absent, JSON.stringify(end))
        assert.ok(end.failed.includes(program))
      }
    })

    it(`have a time limit, over ${over}`, async () => {
      assert.deepEqual(await run(over, ['sleep', '5'], { timeout: 1_000 }), {
        failed: 'it did not end in 1 s',
        absent: false,
      })
    })

    it(`are not run in a container that the pod does not have, over ${over}`, async () => {
      await assert.rejects(run(over, ['true'], { container: 'other' }), { code: 'REJECTED', message: /other/ })
    })
  }

  it('ran over both protocols', () =>
    assert.ok(narrow?.upgrades.includes('websocket') && narrow?.upgrades.includes('SPDY/3.1')))

  it('need the right to them', async () => {
    const cluster = connected(String(workplace.environment.KUBECONFIG), { user: 'nobody' })
    clusters.set('nobody', cluster)
    await assert.rejects(run('nobody', ['true']), { code: 'FORBIDDEN', message: /pods\/exec/ })
  })

  it('need a pod', async () => {
    const program = { pod: { namespace: NAMESPACE, name: 'gone' }, container: 'sleep', argv: ['true'], timeout: 9_000 }
    const cluster = clusters.get('WebSocket') ?? assert.fail()
    await assert.rejects(execInside(program, { cluster, timers: TIMERS }), { code: 'NOT_FOUND' })
  })
})
