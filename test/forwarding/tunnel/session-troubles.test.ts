import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Upgraded } from '../../../src/cluster/cluster.ts'
import { frame, says } from '../../fakes/fake-kubelet.ts'
import { settle } from '../../fakes/fake-timers.ts'
import { seeded } from '../../fakes/random.ts'
import { LOST, LocalEnd, tunnel } from './tunnelled.ts'

describe('back-pressure in a session', () => {
  it('waits for the slowest reader, and goes on with it', async () => {
    const { kubelet, session } = tunnel()
    const [slow, other] = [new LocalEnd(session), new LocalEnd(session)]
    slow.room = false
    kubelet.say(says.data(3, 'much'))
    await settle()
    assert.equal(session.blocked, true)
    for (let count = 0; count < 20; count++) kubelet.say(says.data(7, Buffer.alloc(16_384, 'y')))
    await settle()
    assert.ok(other.text.length < 20 * 16_384, 'the session reads no further')
    assert.ok(kubelet.unread > 0)
    slow.stream.resumed()
    assert.equal(session.blocked, false)
    await settle(40)
    assert.deepEqual([other.text.length, kubelet.unread], [20 * 16_384, 0])
  })

  it('goes on when the slow reader goes away', async () => {
    const { kubelet, session } = tunnel()
    const [slow, slower, other] = [new LocalEnd(session), new LocalEnd(session), new LocalEnd(session)]
    slow.room = false
    slower.room = false
    kubelet.say(says.data(3, 'x'), says.data(7, 'x'))
    await settle()
    kubelet.say(says.data(11, 'z'))
    slow.stream.close()
    slow.stream.resumed()
    await settle()
    assert.deepEqual([session.blocked, other.text], [true, ''])
    slower.stream.resumed()
    await settle()
    assert.deepEqual([session.blocked, other.text], [false, 'z'])
  })

  it('says when there is no room, and when there is again', async () => {
    const { kubelet, session } = tunnel()
    kubelet.deaf()
    const [one, other] = [new LocalEnd(session), new LocalEnd(session)]
    let written = 0
    while (one.stream.write(Buffer.alloc(16_384))) written++
    assert.ok(written < 16, `room for ${written} chunks of 16 KiB`)
    assert.equal(session.blocked, true)
    await settle()
    assert.deepEqual(one.told, [])
    kubelet.listen()
    await settle(20)
    assert.deepEqual([one.told, other.told, session.blocked], [['drain'], ['drain'], false])
  })
})

describe('the beat of a session', () => {
  it('keeps one that answers', async () => {
    const { kubelet, session } = tunnel()
    for (let beat = 0; beat < 5; beat++) {
      session.beat()
      await settle()
      kubelet.say(says.ping(1))
      await settle()
    }
    assert.deepEqual([session.accepts, kubelet.heard.length], [true, 5])
  })

  it('ends one whose other end is gone without a word', async () => {
    const { session, closed, kubelet } = tunnel()
    kubelet.replies = false
    const local = new LocalEnd(session)
    session.beat()
    await settle()
    assert.equal(session.accepts, true)
    session.beat()
    await settle()
    assert.deepEqual([session.accepts, local.told, closed.length], [false, [`lost: ${LOST}`], 1])
    session.beat()
  })

  it('takes anything that is said for a sign of life', async () => {
    const { kubelet, session } = tunnel()
    new LocalEnd(session)
    session.beat()
    kubelet.say(says.data(3, 'x'))
    await settle()
    session.beat()
    await settle()
    assert.equal(session.accepts, true)
  })

  it('spares one that a slow reader keeps from listening, and gives it time when it listens again', async () => {
    const { kubelet, session } = tunnel()
    const slow = new LocalEnd(session)
    slow.room = false
    kubelet.say(says.data(3, 'x'))
    await settle()
    for (let beat = 0; beat < 5; beat++) session.beat()
    kubelet.say(says.ping(1))
    slow.stream.resumed()
    // The answer is there and has not been read yet.
    session.beat()
    await settle()
    assert.equal(session.accepts, true)
  })

  it('gives up one that has ended when the other end does not say goodbye', async () => {
    const { session, closed, kubelet } = tunnel()
    kubelet.saysGoodbye = false
    session.retire()
    await settle()
    assert.equal(closed.length, 0)
    session.beat()
    session.beat()
    await settle()
    assert.equal(closed.length, 1)
  })
})

describe('a peer that misbehaves', () => {
  it('may speak of streams that there are not, and after the end', async () => {
    const { kubelet, session } = tunnel()
    const local = new LocalEnd(session)
    kubelet.say(says.data(99, 'who?', true), says.reset(99), says.data(0, ''), says.data(2, 'even'))
    kubelet.say(says.data(3, 'all', true), says.data(1, '', true), says.data(3, ' and more', true), says.data(1, ''))
    await settle()
    assert.deepEqual([local.text, local.told, session.accepts], ['all', ['end'], true])
  })

  const garbage: [string, Upgraded['protocol'], Buffer][] = [
    ['not SPDY', 'spdy', Buffer.from('\x80\x01\x00\x01 garbage and more', 'latin1')],
    ['a PING of one byte', 'spdy', says.control(6, Buffer.alloc(1))],
    ['a WebSocket frame that is none', 'websocket', Buffer.alloc(10, 0xff)],
    ['a huge WebSocket control frame', 'websocket', frame(9, Buffer.alloc(500))],
    [
      'not SPDY in WebSocket frames, and then what looks like it',
      'websocket',
      Buffer.concat([frame(2, says.control(1, Buffer.alloc(0), { version: 9 })), frame(2, says.data(3, 'garbage'))]),
    ],
  ]
  for (const [name, protocol, bytes] of garbage) {
    it(`ends the session on ${name}, and nobody gets any of it`, async () => {
      const { kubelet, session, closed } = tunnel(protocol)
      const local = new LocalEnd(session)
      kubelet.raw(bytes)
      await settle()
      assert.deepEqual([local.text, local.told, session.accepts], ['', [`lost: ${LOST}`], false])
      assert.equal(closed.length, 1)
    })
  }

  it('never makes it throw, whatever the noise', async () => {
    const random = seeded(5)
    for (let round = 0; round < 150; round++) {
      const { kubelet, session } = tunnel(round % 2 === 0 ? 'spdy' : 'websocket')
      new LocalEnd(session)
      kubelet.raw(Buffer.from(Array.from({ length: 60 }, () => Math.floor(random() * 256))))
      await settle(2)
      session.destroy()
    }
  })
})
