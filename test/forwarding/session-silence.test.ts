import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { says } from '../fakes/fake-kubelet.ts'
import { settle } from '../fakes/fake-timers.ts'
import { LocalEnd, tunnel } from './tunnelled.ts'

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
    assert.deepEqual([session.doubtful, local.text, local.told, timers.pending], [false, 'after all', ['silent'], 0])
  })

  it('is asked when a client writes after a pause', async () => {
    const { kubelet, session, timers } = tunnel()
    const local = new LocalEnd(session)
    await timers.pass(500)
    local.stream.write(Buffer.from('x'))
    await settle()
    const pings = () => kubelet.heard.filter(({ frame }) => frame === 'ping').length
    assert.equal(pings(), 0)
    await timers.pass(1_000)
    kubelet.replies = false
    for (let count = 0; count < 3; count++) local.stream.write(Buffer.from('x'))
    await timers.pass(600)
    assert.deepEqual([pings(), session.doubtful], [1, true])
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
