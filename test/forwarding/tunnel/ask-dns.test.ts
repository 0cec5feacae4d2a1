import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { UserError } from '../../../src/errors.ts'
import { askDns } from '../../../src/forwarding/tunnel/ask-dns.ts'
import { FakeCluster } from '../../fakes/fake-cluster.ts'
import { FakeKubelet, kubeletFrame } from '../../fakes/fake-kubelet.ts'
import { FakeTimers } from '../../fakes/fake-timers.ts'

const QUESTION = {
  pod: { namespace: 'kube-system', name: 'coredns-1' },
  port: 53,
  host: 'a.b',
  family: 4 as const,
  timeout: 5_000,
}

function asked(): { kubelet: FakeKubelet; timers: FakeTimers; cluster: FakeCluster } {
  const [kubelet, timers, cluster] = [new FakeKubelet('spdy'), new FakeTimers(), new FakeCluster([])]
  cluster.portForward = async () => kubelet.upgraded
  return { kubelet, timers, cluster }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** The answer to a question, with one address. */
function answerTo(asked: string): Buffer {
  const message = Buffer.from(asked, 'latin1').subarray(2)
  message.writeUInt16BE(0x8180, 2)
  message.writeUInt16BE(1, 6)
  const whole = Buffer.concat([message, Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 240, 0, 0, 2])])
  return Buffer.concat([Buffer.from([0, whole.length]), whole])
}

describe('askDns', () => {
  it('reads the answer, in whatever pieces it comes', async () => {
    const { kubelet, timers, cluster } = asked()
    const answer = askDns(QUESTION, { cluster, timers })
    await turns()
    const [{ data, text, port }] = kubelet.opened as [(typeof kubelet.opened)[0]]
    assert.equal(port, '53')
    const bytes = answerTo(text)
    kubelet.send(kubeletFrame.data(data, bytes.subarray(0, 1)))
    await turns()
    kubelet.send(kubeletFrame.data(data, bytes.subarray(1, 20)), kubeletFrame.data(data, bytes.subarray(20)))
    assert.deepEqual(await answer, { addresses: ['240.0.0.2'] })
  })

  it('says that the server has closed the connection', async () => {
    const { kubelet, timers, cluster } = asked()
    const answer = askDns(QUESTION, { cluster, timers })
    await turns()
    const { data = 0, error = 0 } = kubelet.opened[0] ?? {}
    kubelet.send(kubeletFrame.data(data, '', true), kubeletFrame.data(error, '', true))
    assert.deepEqual(await answer, { failed: 'it closed the connection' })
  })

  it('gives up when the server says nothing', async () => {
    const { timers, cluster } = asked()
    const answer = askDns(QUESTION, { cluster, timers })
    await turns()
    await timers.pass(5_000)
    assert.deepEqual(await answer, { failed: 'no answer in 5 s' })
  })

  it('is not asked without the permission to forward ports', async () => {
    const { timers, cluster } = asked()
    cluster.portForward = async () => {
      throw new UserError('FORBIDDEN', 'no')
    }
    assert.equal(await askDns(QUESTION, { cluster, timers }), undefined)
  })
})
