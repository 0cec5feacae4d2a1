import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Session } from '../../../src/forwarding/tunnel/session.ts'
import { FakeKubelet, frame, kubeletFrame } from '../../fakes/fake-kubelet.ts'
import { FakeTimers, settle } from '../../fakes/fake-timers.ts'
import { pieces, seeded } from '../../fakes/random.ts'
import { LOST, LocalEnd, tunnel } from './tunnelled.ts'

describe('Session', () => {
  for (const protocol of ['spdy', 'websocket'] as const) {
    it(`opens a connection with its first bytes in one write (${protocol})`, async () => {
      const { kubelet, session } = tunnel(protocol)
      new LocalEnd(session, 'GET / HTTP/1.1')
      await settle()
      assert.equal(kubelet.arrivals.length, 1)
      const headers = (streamtype: string) => ({ streamtype, port: '3000', requestid: '0' })
      assert.deepEqual(kubelet.received, [
        { frame: 'syn', stream: 1, fin: true, headers: headers('error') },
        { frame: 'syn', stream: 3, fin: false, headers: headers('data') },
        { frame: 'data', stream: 3, fin: false, text: 'GET / HTTP/1.1' },
      ])
    })

    it(`carries bytes and ends both ways (${protocol})`, async () => {
      const { kubelet, session } = tunnel(protocol)
      const local = new LocalEnd(session)
      local.stream.write(Buffer.from('ping'))
      local.stream.write(Buffer.alloc(5_000, 'x'))
      local.stream.end()
      await settle()
      assert.deepEqual(kubelet.opened, [
        { error: 1, data: 3, port: '3000', text: `ping${'x'.repeat(5_000)}`, fin: true, reset: false },
      ])
      kubelet.send(
        kubeletFrame.synReply(1),
        kubeletFrame.synReply(3),
        kubeletFrame.data(3, 'pong'),
        kubeletFrame.data(1, '', true),
      )
      await settle()
      assert.deepEqual([local.text, local.told], ['pong', []])
      kubelet.send(kubeletFrame.data(3, '!', true))
      await settle()
      assert.deepEqual([local.text, local.told], ['pong!', ['end']])
      local.stream.close()
      await settle()
      assert.deepEqual([session.load, kubelet.opened[0]?.reset], [0, false])
    })
  }

  it('keeps sending after the pod has ended its side', async () => {
    const { kubelet, session } = tunnel()
    const local = new LocalEnd(session)
    kubelet.send(kubeletFrame.data(1, '', true), kubeletFrame.data(3, 'bye', true))
    await settle()
    local.stream.write(Buffer.from('more'))
    local.stream.end()
    await settle()
    assert.deepEqual([local.told, kubelet.opened[0]?.text, kubelet.opened[0]?.fin], [['end'], 'more', true])
  })

  it('keeps the streams of connections apart', async () => {
    const { kubelet, session } = tunnel()
    const locals = Array.from({ length: 20 }, (_, number) => new LocalEnd(session, `from ${number}`))
    await settle()
    assert.equal(session.load, 20)
    const replies = kubelet.opened.map(({ data, text }) => kubeletFrame.data(data, `to you, ${text}`))
    for (const chunk of pieces(Buffer.concat(replies), seeded(3), 11)) kubelet.raw(chunk)
    await settle()
    assert.deepEqual(
      locals.map(({ text }) => text),
      locals.map((_, number) => `to you, from ${number}`),
    )
  })

  describe('distinguishes a reset from an end', () => {
    it('by error text after the end, in the same burst', async () => {
      const { kubelet, session, timers } = tunnel()
      const local = new LocalEnd(session)
      kubelet.send(kubeletFrame.data(3, 'half', true))
      await timers.pass(249)
      assert.deepEqual(local.told, [])
      kubelet.send(kubeletFrame.data(1, 'read: connection reset by '), kubeletFrame.data(1, 'peer', true))
      await settle()
      assert.deepEqual([local.text, local.told], ['half', ['reset: read: connection reset by peer']])
      assert.deepEqual([session.load, timers.pending], [0, 0])
    })

    it('by error text before the end', async () => {
      const { kubelet, session } = tunnel()
      const local = new LocalEnd(session)
      kubelet.send(kubeletFrame.data(1, 'dial tcp: connection refused', true), kubeletFrame.data(3, '', true))
      await settle()
      assert.deepEqual(local.told, ['refused: dial tcp: connection refused'])
    })

    it('ends when no error text follows in time', async () => {
      const { kubelet, session, timers } = tunnel()
      const local = new LocalEnd(session)
      kubelet.send(kubeletFrame.data(3, '', true))
      await timers.pass(250)
      assert.deepEqual(local.told, ['end'])
      kubelet.send(kubeletFrame.data(1, '', true))
      await settle()
      assert.deepEqual(local.told, ['end'], 'only once')
    })

    it('leaves no timer behind when the connection is closed first', async () => {
      const { kubelet, session, timers } = tunnel()
      const local = new LocalEnd(session)
      kubelet.send(kubeletFrame.data(3, '', true))
      await settle()
      local.stream.close()
      await timers.pass(1_000)
      assert.deepEqual([timers.pending, local.told], [0, []])
    })

    it('does not wait for an error stream that was reset', async () => {
      const { kubelet, session } = tunnel()
      const local = new LocalEnd(session)
      kubelet.send(kubeletFrame.data(3, 'all', true), kubeletFrame.reset(1))
      await settle()
      assert.deepEqual(local.told, ['end'])
    })

    it('by RST_STREAM', async () => {
      const { kubelet, session } = tunnel()
      const [one, other] = [new LocalEnd(session), new LocalEnd(session)]
      kubelet.send(kubeletFrame.reset(3), kubeletFrame.data(3, 'late'), kubeletFrame.data(7, 'mine'))
      await settle()
      assert.deepEqual([one.text, one.told], ['', ['reset: the pod reset the connection']])
      assert.deepEqual([other.text, other.told, session.load, session.accepts], ['mine', [], 1, true])
    })

    it('joins text that is cut inside a character, up to a limit', async () => {
      const { kubelet, session } = tunnel()
      const local = new LocalEnd(session)
      const text = Buffer.from('nö')
      kubelet.send(kubeletFrame.data(1, text.subarray(0, 2)), kubeletFrame.data(1, text.subarray(2)))
      kubelet.send(kubeletFrame.data(1, 'x'.repeat(100_000), true))
      await settle()
      assert.equal(local.told[0], `unclear: nö${'x'.repeat(4_096 - 3)}`)
    })
  })

  it("answers the peer's pings but not the replies to our own", async () => {
    const { kubelet, session } = tunnel()
    kubelet.send(kubeletFrame.ping(2), kubeletFrame.ping(1), kubeletFrame.ping(4))
    await settle()
    assert.deepEqual(kubelet.received, [
      { frame: 'ping', id: 2 },
      { frame: 'ping', id: 4 },
    ])
    assert.equal(session.accepts, true)
  })

  it("answers a proxy's WebSocket ping, and ends on its close", async () => {
    const { kubelet, closed } = tunnel('websocket')
    kubelet.raw(frame(9, Buffer.from('there?')))
    await settle()
    assert.deepEqual(kubelet.controls, [{ opcode: 10, payload: Buffer.from('there?') }])
    kubelet.raw(Buffer.concat([frame(8, Buffer.from([3, 232])), frame(9, Buffer.from('late'))]))
    await settle()
    assert.deepEqual([kubelet.ended, kubelet.controls.length, closed.length], [true, 1, 1])
  })

  it('takes no more connections after GOAWAY and ends with the last one', async () => {
    const { kubelet, session, closed } = tunnel('websocket')
    const local = new LocalEnd(session)
    kubelet.send(kubeletFrame.goaway(), kubeletFrame.data(3, 'still'))
    await settle()
    assert.deepEqual([session.accepts, local.text, kubelet.ended], [false, 'still', false])
    local.stream.close()
    await settle()
    assert.deepEqual([kubelet.ended, closed.length], [true, 1])
    assert.deepEqual(kubelet.controls, [{ opcode: 8, payload: Buffer.from([3, 232]) }])
  })

  it('fails every connection once when the tunnel is lost, and calls closed', async () => {
    const { kubelet, session, timers, closed } = tunnel()
    const locals = [new LocalEnd(session), new LocalEnd(session), new LocalEnd(session)]
    kubelet.send(kubeletFrame.data(3, '', true))
    await settle()
    kubelet.drop()
    await timers.pass(1_000)
    assert.deepEqual(
      locals.map(({ told }) => told),
      locals.map(() => [`lost: ${LOST}`]),
    )
    assert.deepEqual([session.load, session.accepts, timers.pending], [0, false, 0])
    assert.deepEqual(closed, [session])
  })

  it('fails a connection that is opened after the tunnel was lost', async () => {
    const { kubelet, session } = tunnel()
    kubelet.drop()
    await settle()
    const local = new LocalEnd(session, 'GET /')
    assert.deepEqual(local.told, [], 'not before it has been given out')
    await settle()
    assert.deepEqual([local.told, session.load], [[`lost: ${LOST}`], 0])
  })

  it('notices a tunnel that was closed before the session began', async () => {
    const kubelet = new FakeKubelet()
    kubelet.drop()
    await settle()
    const closed: Session[] = []
    const session = new Session(kubelet.upgraded, 1, new FakeTimers(), (one) => void closed.push(one))
    await settle()
    assert.deepEqual([session.accepts, closed], [false, [session]])
  })

  it('aborts one connection by RST_STREAM', async () => {
    const { kubelet, session } = tunnel()
    const [one, other] = [new LocalEnd(session), new LocalEnd(session)]
    one.stream.close()
    one.stream.close()
    one.stream.write(Buffer.from('late'))
    one.stream.end()
    kubelet.send(kubeletFrame.data(3, 'late'), kubeletFrame.data(7, 'mine'))
    await settle()
    assert.deepEqual(
      kubelet.opened.map(({ text, fin, reset }) => [text, fin, reset]),
      [
        ['', false, true],
        ['', false, false],
      ],
    )
    assert.equal(kubelet.received.filter(({ frame: kind }) => kind === 'reset').length, 1)
    assert.deepEqual([session.load, one.text, other.text], [1, '', 'mine'])
  })

  it('destroys all connections at once', async () => {
    const { session, closed, kubelet } = tunnel()
    const local = new LocalEnd(session)
    kubelet.send(kubeletFrame.data(3, 'too late'))
    session.destroy()
    await settle()
    assert.deepEqual([local.text, local.told, session.accepts, closed.length], ['', [`lost: ${LOST}`], false, 1])
  })
})
