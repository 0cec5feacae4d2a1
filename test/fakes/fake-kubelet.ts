/**
 * The other end of a tunnel: a kubelet that reads SPDY/3.1 with a real zlib and sends what a test chooses. It shares no code with src.
 */
import { type Duplex, duplexPair } from 'node:stream'
import { constants, inflateSync } from 'node:zlib'
import type { Upgraded } from '../../src/cluster/cluster.ts'
import { SPDY_DICTIONARY } from './spdy-dictionary.ts'

/** Frames from the client. */
export type ReceivedFrame =
  | { frame: 'syn'; stream: number; fin: boolean; headers: Record<string, string> }
  | { frame: 'data'; stream: number; fin: boolean; text: string }
  | { frame: 'reset'; stream: number; status: number }
  | { frame: 'ping'; id: number }

const u32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** Frames from the kubelet. */
export const kubeletFrame = {
  data(stream: number, bytes: Buffer | string, fin = false): Buffer {
    const payload = Buffer.from(bytes)
    return Buffer.concat([u32(stream), u32((fin ? 0x01000000 : 0) + payload.length), payload])
  },
  control(type: number, payload: Buffer, { flags = 0, version = 3 } = {}): Buffer {
    return Buffer.concat([u32(0x80000000 + version * 0x10000 + type), u32(flags * 0x1000000 + payload.length), payload])
  },
  /** With an invalid header block, because no client should read it. */
  synReply: (stream: number) => kubeletFrame.control(2, Buffer.concat([u32(stream), Buffer.alloc(7, 0xaa)])),
  reset: (stream: number, status = 5) => kubeletFrame.control(3, Buffer.concat([u32(stream), u32(status)])),
  ping: (id: number) => kubeletFrame.control(6, u32(id)),
  goaway: () => kubeletFrame.control(7, Buffer.alloc(8)),
}

/** A WebSocket frame from the server. */
export function frame(opcode: number, payload: Buffer, first = 0x80): Buffer {
  const head =
    payload.length < 126
      ? Buffer.from([first | opcode, payload.length])
      : payload.length < 65_536
        ? Buffer.from([first | opcode, 126, payload.length >> 8, payload.length & 255])
        : Buffer.concat([Buffer.from([first | opcode, 127]), u32(0), u32(payload.length)])
  return Buffer.concat([head, payload])
}

/** A page in answer to plain HTTP. */
export const SPEAKS_HTTP = 'HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n'
/** What programs in Go answer to plain HTTP when they serve HTTPS. */
export const SPEAKS_HTTPS = 'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n'

export class FakeKubelet {
  readonly upgraded: Upgraded
  /** All frames from the client, until `stopReading`. */
  readonly received: ReceivedFrame[] = []
  /** WebSocket control frames of the client, by opcode. */
  readonly controls: { opcode: number; payload: Buffer }[] = []
  /** Lengths of the client's writes. */
  readonly arrivals: number[] = []
  /** Whether the client has ended the connection. */
  ended = false
  /** What the kubelet answers at once: new streams and pings. */
  replies = true
  /** The answer to the first bytes of each connection, after which the kubelet ends it. */
  answer: string | undefined
  /** What the pod answers when it is asked whether it speaks HTTPS; nothing if left out. */
  scheme: string | undefined = SPEAKS_HTTP
  /** Whether the kubelet then ends the connection. */
  endsConnection = true
  readonly #socket: Duplex
  #bytes: Buffer = Buffer.alloc(0)
  #frames: Buffer = Buffer.alloc(0)
  #blocks: Buffer = Buffer.alloc(0)
  #inflated = 0

  constructor(protocol: Upgraded['protocol'] = 'spdy') {
    const [clientEnd, kubeletEnd] = duplexPair()
    this.#socket = kubeletEnd
    this.upgraded = { socket: clientEnd, protocol }
    kubeletEnd.on('error', () => {})
    kubeletEnd.on('data', (bytes: Buffer) => {
      this.arrivals.push(bytes.length)
      this.#take(bytes)
    })
    kubeletEnd.on('end', () => {
      this.ended = true
      if (this.endsConnection) kubeletEnd.end()
    })
  }

  /** Sends bytes in one write, with WebSocket in one message. */
  send(...frames: Buffer[]): void {
    const bytes = Buffer.concat(frames)
    this.raw(this.upgraded.protocol === 'websocket' ? frame(2, bytes) : bytes)
  }

  /** Sends bytes without framing. */
  raw(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  /** Stops reading, so that the client's writes pile up. */
  stopReading(): void {
    this.#socket.pause()
  }

  resumeReading(): void {
    this.#socket.resume()
  }

  /** How many sent bytes the client has not read yet. */
  get unread(): number {
    return this.#socket.writableLength
  }

  /** Drops the connection silently. */
  drop(): void {
    this.upgraded.socket.destroy()
    this.#socket.destroy()
  }

  /** The opened connections, with their streams and bytes. */
  get opened(): { error: number; data: number; port: string; text: string; fin: boolean; reset: boolean }[] {
    const syns = this.received.filter((one) => one.frame === 'syn')
    return syns
      .filter(({ headers }) => headers.streamtype === 'data')
      .map(({ stream, headers }) => {
        const data = this.received.filter((one) => one.frame === 'data' && one.stream === stream)
        const twin = syns.find((one) => one.headers.requestid === headers.requestid && one.stream !== stream)
        return {
          error: twin?.stream ?? 0,
          data: stream,
          port: headers.port ?? '',
          text: data.map((one) => ('text' in one ? one.text : '')).join(''),
          fin: data.some((one) => 'fin' in one && one.fin),
          reset: this.received.some((one) => one.frame === 'reset' && one.stream === stream),
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

  /** Reads one WebSocket frame of a client, which has to be masked. */
  #message(): { opcode: number; payload: Buffer } | undefined {
    const bytes = this.#bytes
    const short = (bytes[1] ?? 0) & 127
    const size = (short === 126 ? 4 : short === 127 ? 10 : 2) + 4
    if (bytes.length < size) return undefined
    const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short
    if (bytes.length < size + length) return undefined
    if (((bytes[1] ?? 0) & 0x80) === 0) throw new Error('a client has to mask its frames')
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
      const incoming = this.#read(head, payload)
      this.received.push(incoming)
      if (this.replies && incoming.frame === 'syn') this.send(kubeletFrame.synReply(incoming.stream))
      if (incoming.frame === 'data' && incoming.text !== '') this.#respond(incoming)
      // An even id is the reply to a ping of the kubelet.
      if (this.replies && incoming.frame === 'ping' && (incoming.id & 1) === 1)
        this.send(kubeletFrame.ping(incoming.id))
    }
  }

  #respond({ stream, text }: { stream: number; text: string }): void {
    const isAsked = /^HEAD \/ HTTP\/1\.1\r\n.*User-Agent: kubectl-telemetry\r\n/s.test(text)
    const answer = isAsked ? this.scheme : this.answer
    if (answer !== undefined)
      this.send(kubeletFrame.data(stream, answer, true), kubeletFrame.data(stream - 2, '', true))
  }

  #read(head: Buffer, payload: Buffer): ReceivedFrame {
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

  /** Reads header blocks: all blocks of a session are one zlib stream. */
  #headers(block: Buffer): Record<string, string> {
    this.#blocks = Buffer.concat([this.#blocks, block])
    const { pairs, total } = inflated(this.#blocks, this.#inflated)
    this.#inflated = total
    return pairs
  }
}

/** @param from number of bytes of earlier blocks. @returns names and values of the next block */
export function inflated(blocks: Buffer, from = 0): { pairs: Record<string, string>; total: number } {
  const all = inflateSync(blocks, { dictionary: SPDY_DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH })
  const bytes = all.subarray(from)
  const texts: string[] = []
  for (let at = 4; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at)
    texts.push(bytes.toString('latin1', at + 4, at + 4 + length))
    at += 4 + length
  }
  if (texts.length !== 2 * bytes.readUInt32BE(0)) throw new Error('a header block with a wrong number of values')
  const pairs = Array.from({ length: texts.length / 2 }, (_, at) => [texts[2 * at], texts[2 * at + 1]])
  return { pairs: Object.fromEntries(pairs) as Record<string, string>, total: all.length }
}
