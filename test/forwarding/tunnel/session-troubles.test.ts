import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Upgraded } from '../../../src/cluster/cluster.ts'
import { frame, kubeletFrame } from '../../fakes/fake-kubelet.ts'
import { settle } from '../../fakes/fake-timers.ts'
import { seeded } from '../../fakes/random.ts'
import { LOST, LocalEnd, tunnel } from './tunnelled.ts'

describe('Session back-pressure', () => {
  it('waits for the slowest reader and continues with it', async () => {
    const { kubelet, session } = tunnel()
    const [slow, other] = [new LocalEnd(session), new LocalEnd(session)]
    slow.room = false
    kubelet.send(kubeletFrame.data(3, 'much'))
    await settle()
    assert.equal(session.blocked, true)
    for (let count = 0; count < 20; count++) kubelet.send(kubeletFrame.data(7, Buffer.alloc(16_384, 'y')))
    await settle()
    assert.ok(other.text.length < 20 * 16_384, 'the session reads no further')
    assert.ok(kubelet.unread > 0)
    slow.stream.resumed()
    assert.equal(session.blocked, false)
    await settle(40)
    assert.deepEqual([other.text.length, kubelet.unread], [20 * 16_384, 0])
  })

  it('continues when the slow reader goes away', async () => {
    const { kubelet, session } = tunnel()
    const [slow, slower, other] = [new LocalEnd(session), new LocalEnd(session), new LocalEnd(session)]
    slow.room = false
    slower.room = false
    kubelet.send(kubeletFrame.data(3, 'x'), kubeletFrame.data(7, 'x'))
    await settle()
    kubelet.send(kubeletFrame.data(11, 'z'))
    slow.stream.close()
    slow.stream.resumed()
    await settle()
    assert.deepEqual([session.blocked, other.text], [true, ''])
    slower.stream.resumed()
    await settle()
    assert.deepEqual([session.blocked, other.text], [false, 'z'])
  })

  it('reports a full buffer, and when it has room again', async () => {
    const { kubelet, session } = tunnel()
    kubelet.stopReading()
    const [one, other] = [new LocalEnd(session), new LocalEnd(session)]
    let written = 0
    while (one.stream.write(Buffer.alloc(16_384))) written++
    assert.ok(written < 16, `room for ${written} chunks of 16 KiB`)
    assert.equal(session.blocked, true)
    await settle()
    assert.deepEqual(one.told, [])
    kubelet.resumeReading()
    await settle(20)
    assert.deepEqual([one.told, other.told, session.blocked], [['drain'], ['drain'], false])
  })
})

describe('Session.beat', () => {
  it('keeps a tunnel that answers', async () => {
    const { kubelet, session } = tunnel()
    for (let beat = 0; beat < 5; beat++) {
      session.beat()
      await settle()
      kubelet.send(kubeletFrame.ping(1))
      await settle()
    }
    assert.deepEqual([session.accepts, kubelet.received.length], [true, 5])
  })

  it('ends a tunnel that does not answer', async () => {
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

  it('accepts any data as a sign of life', async () => {
    const { kubelet, session } = tunnel()
    new LocalEnd(session)
    session.beat()
    kubelet.send(kubeletFrame.data(3, 'x'))
    await settle()
    session.beat()
    await settle()
    assert.equal(session.accepts, true)
  })

  it('spares a session that a slow reader has paused, and gives it time after that', async () => {
    const { kubelet, session } = tunnel()
    const slow = new LocalEnd(session)
    slow.room = false
    kubelet.send(kubeletFrame.data(3, 'x'))
    await settle()
    for (let beat = 0; beat < 5; beat++) session.beat()
    kubelet.send(kubeletFrame.ping(1))
    slow.stream.resumed()
    // The answer is there and has not been read yet.
    session.beat()
    await settle()
    assert.equal(session.accepts, true)
  })

  it('gives up an ended session when the peer does not close', async () => {
    const { session, closed, kubelet } = tunnel()
    kubelet.endsConnection = false
    session.retire()
    await settle()
    assert.equal(closed.length, 0)
    session.beat()
    session.beat()
    await settle()
    assert.equal(closed.length, 1)
  })
})

describe('Session with a broken peer', () => {
  it('ignores frames of unknown and of ended streams', async () => {
    const { kubelet, session } = tunnel()
    const local = new LocalEnd(session)
    kubelet.send(
      kubeletFrame.data(99, 'who?', true),
      kubeletFrame.reset(99),
      kubeletFrame.data(0, ''),
      kubeletFrame.data(2, 'even'),
    )
    kubelet.send(
      kubeletFrame.data(3, 'all', true),
      kubeletFrame.data(1, '', true),
      kubeletFrame.data(3, ' and more', true),
      kubeletFrame.data(1, ''),
    )
    await settle()
    assert.deepEqual([local.text, local.told, session.accepts], ['all', ['end'], true])
  })

  const garbage: [string, Upgraded['protocol'], Buffer][] = [
    ['not SPDY', 'spdy', Buffer.from('\x80\x01\x00\x01 garbage and more', 'latin1')],
    ['a PING of one byte', 'spdy', kubeletFrame.control(6, Buffer.alloc(1))],
    ['an invalid WebSocket frame', 'websocket', Buffer.alloc(10, 0xff)],
    ['a huge WebSocket control frame', 'websocket', frame(9, Buffer.alloc(500))],
    [
      'not SPDY in WebSocket frames, and then what looks like it',
      'websocket',
      Buffer.concat([
        frame(2, kubeletFrame.control(1, Buffer.alloc(0), { version: 9 })),
        frame(2, kubeletFrame.data(3, 'garbage')),
      ]),
    ],
  ]
  for (const [name, protocol, bytes] of garbage) {
    it(`ends on ${name}, and passes none of it on`, async () => {
      const { kubelet, session, closed } = tunnel(protocol)
      const local = new LocalEnd(session)
      kubelet.raw(bytes)
      await settle()
      assert.deepEqual([local.text, local.told, session.accepts], ['', [`lost: ${LOST}`], false])
      assert.equal(closed.length, 1)
    })
  }

  it('never throws on random bytes', async () => {
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
