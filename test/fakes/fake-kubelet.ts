/**
 * The other end of a tunnel: a kubelet that reads SPDY/3.1 with a real zlib and says what it is told to, as it is told to. Its reading
 * shares nothing with ours.
 */
import { type Duplex, duplexPair } from 'node:stream'
import { constants, inflateSync } from 'node:zlib'
import type { Upgraded } from '../../src/cluster/cluster.ts'
import { SPDY_DICTIONARY } from './spdy-dictionary.ts'

/** What came from the client, frame by frame. */
export type Heard =
  | { frame: 'syn'; stream: number; fin: boolean; headers: Record<string, string> }
  | { frame: 'data'; stream: number; fin: boolean; text: string }
  | { frame: 'reset'; stream: number; status: number }
  | { frame: 'ping'; id: number }

const u32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** Frames as a peer sends them. */
export const says = {
  data(stream: number, bytes: Buffer | string, fin = false): Buffer {
    const payload = Buffer.from(bytes)
    return Buffer.concat([u32(stream), u32((fin ? 0x01000000 : 0) + payload.length), payload])
  },
  control(type: number, payload: Buffer, { flags = 0, version = 3 } = {}): Buffer {
    return Buffer.concat([u32(0x80000000 + version * 0x10000 + type), u32(flags * 0x1000000 + payload.length), payload])
  },
  /** Its header block is nothing that anybody should read. */
  synReply: (stream: number) => says.control(2, Buffer.concat([u32(stream), Buffer.alloc(7, 0xaa)])),
  reset: (stream: number, status = 5) => says.control(3, Buffer.concat([u32(stream), u32(status)])),
  ping: (id: number) => says.control(6, u32(id)),
  goaway: () => says.control(7, Buffer.alloc(8)),
}

/** A server's WebSocket frame. */
export function frame(opcode: number, payload: Buffer, first = 0x80): Buffer {
  const head =
    payload.length < 126
      ? Buffer.from([first | opcode, payload.length])
      : payload.length < 65_536
        ? Buffer.from([first | opcode, 126, payload.length >> 8, payload.length & 255])
        : Buffer.concat([Buffer.from([first | opcode, 127]), u32(0), u32(payload.length)])
  return Buffer.concat([head, payload])
}

export class FakeKubelet {
  readonly upgraded: Upgraded
  /** What it reads, until `deaf`. */
  readonly heard: Heard[] = []
  /** WebSocket control frames of the client, by opcode. */
  readonly controls: { opcode: number; payload: Buffer }[] = []
  /** How many bytes each write of the client had, as they arrived. */
  readonly arrivals: number[] = []
  /** The client has said that it ends. */
  ended = false
  /** To what is replied to at once: streams that are opened, and pings. */
  replies = true
  /** What every connection is told, and that this is all, once it has said something. */
  answer: string | undefined
  /** Whether it ends too then. */
  saysGoodbye = true
  readonly #socket: Duplex
  #bytes: Buffer = Buffer.alloc(0)
  #frames: Buffer = Buffer.alloc(0)
  #blocks: Buffer = Buffer.alloc(0)
  #inflated = 0

  constructor(protocol: Upgraded['protocol'] = 'spdy') {
    const [ours, theirs] = duplexPair()
    this.#socket = theirs
    this.upgraded = { socket: ours, protocol }
    theirs.on('error', () => {})
    theirs.on('data', (bytes: Buffer) => {
      this.arrivals.push(bytes.length)
      this.#take(bytes)
    })
    theirs.on('end', () => {
      this.ended = true
      if (this.saysGoodbye) theirs.end()
    })
  }

  /** One write, in one WebSocket message where it speaks that. */
  say(...frames: Buffer[]): void {
    const bytes = Buffer.concat(frames)
    this.raw(this.upgraded.protocol === 'websocket' ? frame(2, bytes) : bytes)
  }

  /** Bytes as they are. */
  raw(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  /** Reads no more: what the client writes piles up. */
  deaf(): void {
    this.#socket.pause()
  }

  listen(): void {
    this.#socket.resume()
  }

  /** How much it has said that the client has not taken. */
  get unread(): number {
    return this.#socket.writableLength
  }

  /** The connection is gone, without a word. */
  lose(): void {
    this.upgraded.socket.destroy()
    this.#socket.destroy()
  }

  /** Connections that were opened: the streams of each, and what was written to it. */
  get opened(): { error: number; data: number; port: string; text: string; fin: boolean; reset: boolean }[] {
    const syns = this.heard.filter((one) => one.frame === 'syn')
    return syns
      .filter(({ headers }) => headers.streamtype === 'data')
      .map(({ stream, headers }) => {
        const data = this.heard.filter((one) => one.frame === 'data' && one.stream === stream)
        const twin = syns.find((one) => one.headers.requestid === headers.requestid && one.stream !== stream)
        return {
          error: twin?.stream ?? 0,
          data: stream,
          port: headers.port ?? '',
          text: data.map((one) => ('text' in one ? one.text : '')).join(''),
          fin: data.some((one) => 'fin' in one && one.fin),
          reset: this.heard.some((one) => one.frame === 'reset' && one.stream === stream),
        }
      })
  }

  #take(bytes: Buffer): void {
    if (this.upgraded.protocol === 'spdy') {
      this.#spdy(bytes)
      return
    }
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    for (let message = this.#message(); message !== undefined; message = this.#message()) {
      if (message.opcode < 8) this.#spdy(message.payload)
      else this.controls.push(message)
    }
  }

  /** One WebSocket frame of a client: masked, or it is none. */
  #message(): { opcode: number; payload: Buffer } | undefined {
    const bytes = this.#bytes
    const short = (bytes[1] ?? 0) & 127
    const size = (short === 126 ? 4 : short === 127 ? 10 : 2) + 4
    if (bytes.length < size) return undefined
    const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short
    if (bytes.length < size + length) return undefined
    if (((bytes[1] ?? 0) & 0x80) === 0) throw new Error('a client has to mask')
    const key = bytes.subarray(size - 4, size)
    const payload = Buffer.from(bytes.subarray(size, size + length).map((byte, at) => byte ^ (key[at % 4] ?? 0)))
    this.#bytes = bytes.subarray(size + length)
    return { opcode: (bytes[0] ?? 0) & 15, payload }
  }

  #spdy(bytes: Buffer): void {
    this.#frames = Buffer.concat([this.#frames, bytes])
    while (this.#frames.length >= 8) {
      const length = this.#frames.readUIntBE(5, 3)
      if (this.#frames.length < 8 + length) return
      const [head, payload] = [this.#frames.subarray(0, 8), this.#frames.subarray(8, 8 + length)]
      this.#frames = this.#frames.subarray(8 + length)
      const heard = this.#read(head, payload)
      this.heard.push(heard)
      if (this.replies && heard.frame === 'syn') this.say(says.synReply(heard.stream))
      if (this.answer !== undefined && heard.frame === 'data' && heard.text !== '')
        this.say(says.data(heard.stream, this.answer, true), says.data(heard.stream - 2, '', true))
      // An even one is the echo of ours.
      if (this.replies && heard.frame === 'ping' && (heard.id & 1) === 1) this.say(says.ping(heard.id))
    }
  }

  #read(head: Buffer, payload: Buffer): Heard {
    const fin = (head.readUInt8(4) & 1) === 1
    if (head.readUInt8(0) < 0x80)
      return { frame: 'data', stream: head.readUInt32BE(0), fin, text: payload.toString('latin1') }
    if (head.readUInt16BE(0) !== 0x8003) throw new Error('not SPDY/3')
    const type = head.readUInt16BE(2)
    if (type === 1)
      return { frame: 'syn', stream: payload.readUInt32BE(0), fin, headers: this.#headers(payload.subarray(10)) }
    if (type === 3) return { frame: 'reset', stream: payload.readUInt32BE(0), status: payload.readUInt32BE(4) }
    if (type === 6) return { frame: 'ping', id: payload.readUInt32BE(0) }
    throw new Error(`a client does not send frames of type ${type}`)
  }

  /** All blocks of a session are one zlib stream. */
  #headers(block: Buffer): Record<string, string> {
    this.#blocks = Buffer.concat([this.#blocks, block])
    const { pairs, total } = inflated(this.#blocks, this.#inflated)
    this.#inflated = total
    return pairs
  }
}

/** @param from how much of it earlier blocks had. @returns names and values of the block after that */
export function inflated(blocks: Buffer, from = 0): { pairs: Record<string, string>; total: number } {
  const all = inflateSync(blocks, { dictionary: SPDY_DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH })
  const bytes = all.subarray(from)
  const texts: string[] = []
  for (let at = 4; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at)
    texts.push(bytes.toString('latin1', at + 4, at + 4 + length))
    at += 4 + length
  }
  if (texts.length !== 2 * bytes.readUInt32BE(0)) throw new Error('a header block that does not say what it has')
  const pairs = Array.from({ length: texts.length / 2 }, (_, at) => [texts[2 * at], texts[2 * at + 1]])
  return { pairs: Object.fromEntries(pairs) as Record<string, string>, total: all.length }
}
