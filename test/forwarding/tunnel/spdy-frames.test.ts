import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import {
  dataHead,
  type Frame,
  FrameError,
  FrameReader,
  ping,
  resetStream,
  synStream,
} from '../../../src/forwarding/tunnel/spdy-frames.ts'
import { inflated, kubeletFrame } from '../../fakes/fake-kubelet.ts'
import { pieces, seeded } from '../../fakes/random.ts'

/** Frames without the borders of their parts: the parts of a data frame are joined, empty ones are left out. */
function read(chunks: Buffer[]): unknown[] {
  const reader = new FrameReader()
  const frames: Frame[] = []
  for (const chunk of chunks) reader.read(chunk, (frame) => frames.push(frame))
  return joined(frames)
}

function joined(frames: Frame[]): unknown[] {
  const seen: { kind: string; stream?: number; text?: string; fin?: boolean }[] = []
  for (const frame of frames) {
    const last = seen.at(-1)
    if (frame.kind !== 'data') {
      seen.push('bytes' in frame ? { kind: frame.kind, text: frame.bytes.toString('hex') } : { ...frame })
    } else if (last?.kind === 'data' && last.stream === frame.stream && !last.fin) {
      last.text += frame.bytes.toString('latin1')
      last.fin = frame.fin
    } else seen.push({ kind: 'data', stream: frame.stream, text: frame.bytes.toString('latin1'), fin: frame.fin })
  }
  return seen
}

const data = (stream: number, text: string, fin = false) => ({ kind: 'data', stream, text, fin })
const SPOKEN = [
  kubeletFrame.synReply(1),
  kubeletFrame.data(3, 'hello'),
  kubeletFrame.data(3, '', true),
  kubeletFrame.control(4, Buffer.alloc(12)),
  kubeletFrame.ping(2),
  kubeletFrame.data(0x7fffffff, 'x'.repeat(300), true),
  kubeletFrame.reset(7),
  kubeletFrame.data(1, ''),
  kubeletFrame.data(1, 'text', true),
  kubeletFrame.goaway(),
]
const UNDERSTOOD = [
  { kind: 'other' },
  data(3, 'hello', true),
  { kind: 'other' },
  { kind: 'ping', text: '800300060000000400000002' },
  data(0x7fffffff, 'x'.repeat(300), true),
  { kind: 'reset', stream: 7 },
  data(1, 'text', true),
  { kind: 'goaway' },
]

describe('FrameReader', () => {
  it('reads all frames of a kubelet', () => assert.deepEqual(read([Buffer.concat(SPOKEN)]), UNDERSTOOD))

  it('reads the same when the bytes are cut at any place', () => {
    const bytes = Buffer.concat(SPOKEN)
    for (let at = 0; at <= bytes.length; at++)
      assert.deepEqual(read([bytes.subarray(0, at), bytes.subarray(at)]), UNDERSTOOD, `cut at ${at}`)
  })

  for (const longest of [1, 2, 7, 9, 64, 500]) {
    it(`reads the same in pieces of up to ${longest} bytes`, () => {
      const random = seeded(longest)
      for (let round = 0; round < 50; round++) {
        const spoken = Array.from({ length: 20 }, () => Math.floor(random() * SPOKEN.length)).map(
          (at) => SPOKEN[at] ?? kubeletFrame.goaway(),
        )
        const bytes = Buffer.concat(spoken)
        assert.deepEqual(read(pieces(bytes, random, longest)), read([bytes]))
      }
    })
  }

  it('passes the parts of a long frame on as they come, and the end with the last one', () => {
    const reader = new FrameReader()
    const frames: Frame[] = []
    const bytes = kubeletFrame.data(3, Buffer.alloc(100_000, 1), true)
    reader.read(bytes.subarray(0, 50_000), (frame) => frames.push(frame))
    assert.deepEqual(
      frames.map((frame) => frame.kind === 'data' && [frame.bytes.length, frame.fin]),
      [[49_992, false]],
    )
    reader.read(bytes.subarray(50_000), (frame) => frames.push(frame))
    assert.deepEqual(frames.map((frame) => frame.kind === 'data' && [frame.bytes.length, frame.fin]).at(1), [
      50_008,
      true,
    ])
  })

  it('does not copy data', () => {
    const chunk = kubeletFrame.data(3, 'hello')
    const frames: Frame[] = []
    new FrameReader().read(chunk, (one) => frames.push(one))
    const taken = frames.at(-1)
    assert.equal(taken?.kind === 'data' && taken.bytes.buffer, chunk.buffer)
  })

  it('passes nothing on before a frame is complete', () => {
    for (const bytes of [
      Buffer.alloc(0),
      kubeletFrame.ping(2).subarray(0, 11),
      kubeletFrame.data(3, 'x').subarray(0, 8),
    ])
      assert.deepEqual(read([bytes]), [])
  })

  const wrong: [string, Buffer][] = [
    ['another version', kubeletFrame.control(6, Buffer.alloc(4), { version: 2 })],
    ['HTTP', Buffer.from('\x80TTP/1.1 400 Bad Request', 'latin1')],
    ['a control frame that is too long', kubeletFrame.control(4, Buffer.alloc(65_537)).subarray(0, 8)],
    ['a RST_STREAM without a stream', kubeletFrame.control(3, Buffer.alloc(3))],
    ['a PING without an id', kubeletFrame.control(6, Buffer.alloc(3))],
  ]
  for (const [name, bytes] of wrong) it(`refuses ${name}`, () => assert.throws(() => read([bytes]), FrameError))

  it('reads the longest control frame', () =>
    assert.deepEqual(read([kubeletFrame.control(4, Buffer.alloc(65_536))]), [{ kind: 'other' }]))

  it('reads or refuses random bytes, and never passes on more bytes than there were', () => {
    const random = seeded(11)
    for (let round = 0; round < 2_000; round++) {
      const noise = Buffer.from(Array.from({ length: 40 }, () => Math.floor(random() * 256)))
      try {
        const reader = new FrameReader()
        let length = 0
        for (const chunk of pieces(noise, random, 12))
          reader.read(chunk, (frame) => {
            length += frame.kind === 'data' ? frame.bytes.length : 0
          })
        assert.ok(length <= 32)
      } catch (error) {
        assert.ok(error instanceof FrameError, String(error))
      }
    }
  })
})

describe('writing SPDY', () => {
  const headers = { streamtype: 'error', port: '3000', requestid: '0' }

  it('writes SYN_STREAM as the draft describes it', () => {
    const bytes = synStream(5, headers, true, true)
    assert.equal(bytes.toString('hex', 0, 5), '8003000101')
    assert.equal(bytes.readUIntBE(5, 3), bytes.length - 8)
    assert.equal(bytes.toString('hex', 8, 18), '00000005000000000000')
    assert.equal(synStream(5, headers, true)[4], 0)
  })

  it("writes header blocks that SPDY's dictionary inflates, as one zlib stream per session", () => {
    const more = { streamtype: 'data', port: '65535', requestid: '12345' }
    const first = synStream(1, headers, true).subarray(18)
    const second = synStream(3, more, false).subarray(18)
    assert.deepEqual(inflated(first), { pairs: headers, total: 61 })
    const { total } = inflated(first)
    assert.deepEqual(inflated(Buffer.concat([first, second]), total).pairs, more)
  })

  it("ends each block so that Go's inflate hands it out at once", () => {
    for (const first of [true, false])
      assert.equal(synStream(1, headers, first).subarray(-5).toString('hex'), '000000ffff')
  })

  it('writes headers of any allowed length', () => {
    const long = { port: 'x'.repeat(60_000), '': 'é' }
    assert.deepEqual(inflated(synStream(1, long, true).subarray(18)).pairs, long)
  })

  it('writes data, resets and pings as the reader reads them', () => {
    assert.deepEqual(Buffer.concat([dataHead(3, 5, true), Buffer.from('hello')]), kubeletFrame.data(3, 'hello', true))
    assert.deepEqual(dataHead(0x7fffffff, 0xffffff).toString('hex'), '7fffffff00ffffff')
    assert.deepEqual(resetStream(7), kubeletFrame.reset(7))
    assert.deepEqual(ping(1), kubeletFrame.ping(1))
  })
})
