import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import {
  binaryHead,
  closeFrame,
  pong,
  WebSocketError,
  WebSocketReader,
} from '../../../src/forwarding/tunnel/websocket-frames.ts'
import { frame } from '../../fakes/fake-kubelet.ts'
import { pieces, seeded } from '../../fakes/random.ts'

function read(chunks: Buffer[]): { payload: string; told: string[] } {
  const reader = new WebSocketReader()
  const told: string[] = []
  const parts: Buffer[] = []
  for (const chunk of chunks)
    reader.read(chunk, {
      payload: (bytes) => void parts.push(bytes),
      ping: (payload) => void told.push(`ping ${payload}`),
      pong: () => void told.push('pong'),
      close: () => void told.push('close'),
    })
  return { payload: Buffer.concat(parts).toString('latin1'), told }
}

const text = (length: number) => Buffer.alloc(length, 'abcdefghij')
const SPOKEN = [
  frame(2, text(5)),
  frame(9, Buffer.from('are you there')),
  frame(2, text(125)),
  frame(2, text(126)),
  frame(2, text(3), 0),
  frame(10, Buffer.alloc(0)),
  frame(0, text(7)),
  frame(2, Buffer.alloc(0)),
  frame(9, Buffer.alloc(0)),
  frame(2, text(70_000)),
  frame(8, Buffer.from([3, 232])),
]
const UNDERSTOOD = {
  payload: [5, 125, 126, 3, 7, 70_000].map((length) => text(length).toString('latin1')).join(''),
  told: ['ping are you there', 'pong', 'ping ', 'close'],
}

describe('WebSocketReader', () => {
  it('passes on the payload of all messages and reports control frames', () => {
    assert.deepEqual(read([Buffer.concat(SPOKEN)]), UNDERSTOOD)
  })

  it('reads the same when the bytes are cut at any place', () => {
    const bytes = Buffer.concat(SPOKEN.slice(0, 9))
    const whole = read([bytes])
    for (let at = 0; at <= bytes.length; at++)
      assert.deepEqual(read([bytes.subarray(0, at), bytes.subarray(at)]), whole)
  })

  for (const longest of [1, 2, 11, 4_096]) {
    it(`reads the same in pieces of up to ${longest} bytes`, () => {
      assert.deepEqual(read(pieces(Buffer.concat(SPOKEN), seeded(longest), longest)), UNDERSTOOD)
    })
  }

  const wrong: [string, Buffer][] = [
    ['a control frame of 126 bytes', frame(9, text(126))],
    ['a control frame in parts', frame(9, text(2), 0)],
    ['a masked frame: only clients mask', Buffer.from([0x82, 0x81, 0, 0, 0, 0, 1])],
    ['a compressed frame: nothing was negotiated', frame(2, text(3), 0xc0)],
    ['an unknown opcode', frame(3, text(3))],
    ['an unknown opcode of a control frame', frame(11, text(3))],
    ['text, which the tunnel does not have', frame(1, text(3))],
    ['a length of more than 2^63', Buffer.concat([Buffer.from([0x82, 127]), Buffer.alloc(8, 0xff)])],
  ]
  for (const [name, bytes] of wrong) it(`refuses ${name}`, () => assert.throws(() => read([bytes]), WebSocketError))
})

describe('writing WebSocket frames', () => {
  const lengths: [number, string][] = [
    [0, '8280'],
    [125, '82fd'],
    [126, '82fe007e'],
    [65_535, '82feffff'],
    [65_536, '82ff0000000000010000'],
  ]
  for (const [length, hex] of lengths) {
    it(`writes the head of ${length} bytes, masked with zero`, () => {
      assert.equal(binaryHead(length).toString('hex'), `${hex}00000000`)
    })
  }

  it('writes pong and close, masked', () => {
    assert.equal(pong(Buffer.from('ab')).toString('hex'), '8a82000000006162')
    assert.equal(closeFrame().toString('hex'), '88820000000003e8')
  })
})
