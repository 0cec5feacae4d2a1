import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type FakeKubelet, says } from '../../fakes/fake-kubelet.ts'
import { settle } from '../../fakes/fake-timers.ts'
import { LocalEnd, tunnel } from './tunnelled.ts'

function pings({ heard }: FakeKubelet): number {
  return heard.filter(({ frame }) => frame === 'ping').length
}

describe('a session that falls silent', () => {
  it('is doubted when a new stream is not replied to, and tells everybody in it', async () => {
    const { kubelet, session, timers } = tunnel()
    const early = new LocalEnd(session)
    await settle()
    kubelet.replies = false
    const late = new LocalEnd(session)
    await timers.pass(600)
    assert.deepEqual([session.doubtful, session.accepts], [true, true])
    assert.deepEqual([early.told, late.told], [['silent'], ['silent']])
  })

  it('is trusted again when it speaks', async () => {
    const { kubelet, session, timers } = tunnel()
    kubelet.replies = false
    const local = new LocalEnd(session)
    await timers.pass(600)
    kubelet.say(says.data(3, 'after all'))
    await settle()
    assert.deepEqual([session.doubtful, local.text, local.told], [false, 'after all', ['silent']])
    local.stream.close()
    assert.equal(timers.pending, 0)
  })

  it('is asked when a client writes after a pause', async () => {
    const { kubelet, session, timers } = tunnel()
    const local = new LocalEnd(session)
    await timers.pass(18_000)
    const before = pings(kubelet)
    kubelet.replies = false
    for (let count = 0; count < 3; count++) local.stream.write(Buffer.from('x'))
    await timers.pass(600)
    assert.deepEqual([pings(kubelet) - before, session.doubtful], [1, true])
  })

  it('is asked while somebody waits for an answer, less and less often', async () => {
    const { kubelet, session, timers } = tunnel()
    const local = new LocalEnd(session)
    const asked: number[] = []
    for (let time = 500; time <= 40_000; time += 500) {
      const before = pings(kubelet)
      await timers.pass(500)
      if (pings(kubelet) > before) asked.push(time)
    }
    assert.deepEqual(asked, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000])
    kubelet.say(says.data(3, 'some'))
    local.stream.write(Buffer.from('x'))
    kubelet.replies = false
    await timers.pass(1_600)
    assert.deepEqual([session.doubtful, local.told], [true, ['silent']])
  })

  it('is not asked while something comes, nor when nobody waits', async () => {
    const { kubelet, session, timers } = tunnel()
    const local = new LocalEnd(session)
    for (let count = 0; count < 20; count++) {
      kubelet.say(says.data(3, 'more'))
      await timers.pass(500)
    }
    local.stream.close()
    await timers.pass(10_000)
    assert.equal(pings(kubelet), 0)
  })

  it('ends when there is nobody in it', async () => {
    const { kubelet, session, timers, closed } = tunnel()
    kubelet.replies = false
    session.beat()
    await timers.pass(600)
    assert.deepEqual([closed.length, session.retired], [1, false])
  })

  it('is not doubted while we do not read', async () => {
    const { kubelet, session, timers } = tunnel()
    const slow = new LocalEnd(session)
    slow.room = false
    kubelet.say(says.data(3, 'much'))
    await settle()
    new LocalEnd(session)
    session.question()
    await timers.pass(10_000)
    assert.deepEqual([session.doubtful, slow.told], [false, []])
  })

  it('is doubted at once when asked to answer, until it does', async () => {
    const { session } = tunnel()
    session.question()
    assert.equal(session.doubtful, true)
    await settle()
    assert.equal(session.doubtful, false)
  })
})
