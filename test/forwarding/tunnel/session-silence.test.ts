import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type FakeKubelet, kubeletFrame } from '../../fakes/fake-kubelet.ts'
import { settle } from '../../fakes/fake-timers.ts'
import { LocalEnd, tunnel } from './tunnelled.ts'

function pings({ received }: FakeKubelet): number {
  return received.filter(({ frame }) => frame === 'ping').length
}

describe('Session when it falls silent', () => {
  it('becomes doubtful when a new stream gets no reply, and informs all its connections', async () => {
    const { kubelet, session, timers } = tunnel()
    const early = new LocalEnd(session)
    await settle()
    kubelet.replies = false
    const late = new LocalEnd(session)
    await timers.pass(600)
    assert.deepEqual([session.doubtful, session.accepts], [true, true])
    assert.deepEqual([early.told, late.told], [['silent'], ['silent']])
  })

  it('is trusted again when an answer comes', async () => {
    const { kubelet, session, timers } = tunnel()
    kubelet.replies = false
    const local = new LocalEnd(session)
    await timers.pass(600)
    kubelet.send(kubeletFrame.data(3, 'after all'))
    await settle()
    assert.deepEqual([session.doubtful, local.text, local.told], [false, 'after all', ['silent']])
    local.stream.close()
    assert.equal(timers.pending, 0)
  })

  it('is pinged when a client writes after a pause', async () => {
    const { kubelet, session, timers } = tunnel()
    const local = new LocalEnd(session)
    await timers.pass(18_000)
    const before = pings(kubelet)
    kubelet.replies = false
    for (let count = 0; count < 3; count++) local.stream.write(Buffer.from('x'))
    await timers.pass(600)
    assert.deepEqual([pings(kubelet) - before, session.doubtful], [1, true])
  })

  it('is pinged while a client waits for an answer, less and less often', async () => {
    const { kubelet, session, timers } = tunnel()
    const local = new LocalEnd(session)
    const asked: number[] = []
    for (let time = 500; time <= 40_000; time += 500) {
      const before = pings(kubelet)
      await timers.pass(500)
      if (pings(kubelet) > before) asked.push(time)
    }
    assert.deepEqual(asked, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000])
    kubelet.send(kubeletFrame.data(3, 'some'))
    local.stream.write(Buffer.from('x'))
    kubelet.replies = false
    await timers.pass(1_600)
    assert.deepEqual([session.doubtful, local.told], [true, ['silent']])
  })

  it('is not pinged while data comes, nor when no client waits', async () => {
    const { kubelet, session, timers } = tunnel()
    const local = new LocalEnd(session)
    for (let count = 0; count < 20; count++) {
      kubelet.send(kubeletFrame.data(3, 'more'))
      await timers.pass(500)
    }
    local.stream.close()
    await timers.pass(10_000)
    assert.equal(pings(kubelet), 0)
  })

  it('ends when it has no connections', async () => {
    const { kubelet, session, timers, closed } = tunnel()
    kubelet.replies = false
    session.beat()
    await timers.pass(600)
    assert.deepEqual([closed.length, session.retired], [1, false])
  })

  it('is not doubtful while reading is paused', async () => {
    const { kubelet, session, timers } = tunnel()
    const slow = new LocalEnd(session)
    slow.room = false
    kubelet.send(kubeletFrame.data(3, 'much'))
    await settle()
    new LocalEnd(session)
    session.question()
    await timers.pass(10_000)
    assert.deepEqual([session.doubtful, slow.told], [false, []])
  })

  it('is doubtful after question() until it answers', async () => {
    const { session } = tunnel()
    session.question()
    assert.equal(session.doubtful, true)
    await settle()
    assert.equal(session.doubtful, false)
  })
})
