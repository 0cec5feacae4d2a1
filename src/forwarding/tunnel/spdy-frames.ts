/**
 * SPDY/3.1 as far as port-forwarding needs it: bytes to frames and back, pure. There is no per-stream flow control in it
 * (moby/spdystream has none), and header blocks are only written, never read.
 * https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/
 */

export const FIN = 1

/** What a peer says, in the order in which it says it. A long data frame comes in parts, without waiting for its end. */
export type Frame =
  | { kind: 'data'; stream: number; bytes: Buffer; fin: boolean }
  | { kind: 'reset'; stream: number }
  | { kind: 'ping'; bytes: Buffer }
  | { kind: 'goaway' }
  | { kind: 'other' }

/** A frame of the peer that is not SPDY, or longer than anything that port-forwarding sends. */
export class FrameError extends Error {}

const NONE = Buffer.alloc(0)
const HEADER = 8
/** Of a SYN_STREAM: its own id, another one's, and a priority. */
const STREAM_IDS = 10
/** The head of a stored block (RFC 1951, section 3.2.4). */
const STORED = 5
/** Before each text. */
const LENGTH = 4
const CONTROL = 0x80
const VERSION = 3
const TYPE = { synStream: 1, reset: 3, ping: 6, goaway: 7 } as const
/** SYN_REPLY and SETTINGS are some dozens of bytes. */
const LONGEST_CONTROL = 64 * 1024

/** The preset dictionary's id in a zlib header (RFC 1950): named once in a session, then taken for granted. */
const ZLIB_HEADER = Buffer.from([0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2])
/** An empty stored block (RFC 1951): without it Go's inflate keeps the block before to itself. */
const ZLIB_FLUSH = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff])

/**
 * Name and value pairs, "compressed" by stored blocks: readers need zlib, writers do not. In one buffer: every connection begins with two.
 * @param first whether it is the session's first header block
 * @param headers at most 64 KiB, of ASCII
 */
export function synStream(stream: number, headers: Record<string, string>, first: boolean, fin = false): Buffer {
  const texts = Object.entries(headers).flat()
  const stored = texts.reduce((length, text) => length + LENGTH + text.length, LENGTH)
  const begin = HEADER + STREAM_IDS
  const frame = Buffer.allocUnsafe(begin + (first ? ZLIB_HEADER.length : 0) + STORED + stored + ZLIB_FLUSH.length)
  writeControl(frame, TYPE.synStream, fin ? FIN : 0, frame.length - HEADER)
  frame.fill(0, HEADER, begin)
  frame.writeUInt32BE(stream, HEADER)
  let at = begin
  if (first) at += ZLIB_HEADER.copy(frame, at)
  at = frame.writeUInt8(0, at)
  at = frame.writeUInt16LE(stored, at)
  at = frame.writeUInt16LE(~stored & 0xffff, at)
  at = frame.writeUInt32BE(texts.length / 2, at)
  for (const text of texts) {
    at = frame.writeUInt32BE(text.length, at)
    at += frame.write(text, at, 'latin1')
  }
  ZLIB_FLUSH.copy(frame, at)
  return frame
}

/** The head of a data frame; its bytes follow. */
export function dataHead(stream: number, length: number, fin = false): Buffer {
  const head = Buffer.allocUnsafe(HEADER)
  head.writeUInt32BE(stream, 0)
  head.writeUInt32BE(((fin ? FIN : 0) << 24) | length, 4)
  return head
}

/** CANCEL. */
export function resetStream(stream: number): Buffer {
  const frame = Buffer.alloc(HEADER + 8)
  writeControl(frame, TYPE.reset, 0, 8)
  frame.writeUInt32BE(stream, HEADER)
  frame.writeUInt32BE(5, HEADER + 4)
  return frame
}

/** @param id odd, since we are the client */
export function ping(id: number): Buffer {
  const frame = Buffer.alloc(HEADER + 4)
  writeControl(frame, TYPE.ping, 0, 4)
  frame.writeUInt32BE(id, HEADER)
  return frame
}

function writeControl(frame: Buffer, type: number, flags: number, length: number): void {
  frame.writeUInt16BE((CONTROL << 8) | VERSION, 0)
  frame.writeUInt16BE(type, 2)
  frame.writeUInt32BE((flags << 24) | length, 4)
}

/** Bytes as they come, in chunks of any size, to frames. Data is passed on without copying. */
export class FrameReader {
  #head: Buffer = NONE
  #control: Buffer[] | undefined
  #stream = 0
  #fin = false
  #left = 0

  /** @throws FrameError; nothing can be read after it */
  read(chunk: Buffer, take: (frame: Frame) => void): void {
    const bytes = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk])
    this.#head = NONE
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 0) {
        // A view costs more than it looks: none is made of all there is.
        const isAll = at === 0 && bytes.length <= this.#left
        const part = isAll ? bytes : bytes.subarray(at, at + this.#left)
        at += part.length
        this.#left -= part.length
        this.#continue(part, take)
      } else if (bytes.length - at < HEADER) {
        this.#head = Buffer.from(bytes.subarray(at))
        return
      } else {
        this.#begin(bytes, at)
        at += HEADER
        if (this.#left === 0) this.#finish(NONE, take)
      }
    }
  }

  /** Reads a frame's head, all of which is there. */
  #begin(bytes: Buffer, at: number): void {
    this.#left = bytes.readUIntBE(at + 5, 3)
    this.#fin = ((bytes[at + 4] ?? 0) & FIN) !== 0
    this.#stream = bytes.readUInt32BE(at)
    const isControl = ((bytes[at] ?? 0) & CONTROL) !== 0
    this.#control = isControl ? [Buffer.from(bytes.subarray(at, at + HEADER))] : undefined
    if (isControl && (bytes.readUInt16BE(at) & 0x7fff) !== VERSION) throw new FrameError('not SPDY/3')
    if (isControl && this.#left > LONGEST_CONTROL) throw new FrameError(`a control frame of ${this.#left} bytes`)
  }

  #continue(part: Buffer, take: (frame: Frame) => void): void {
    if (this.#control !== undefined) {
      this.#control.push(part)
      if (this.#left === 0) this.#finish(NONE, take)
    } else if (this.#left === 0) this.#finish(part, take)
    else take({ kind: 'data', stream: this.#stream, bytes: part, fin: false })
  }

  #finish(part: Buffer, take: (frame: Frame) => void): void {
    const control = this.#control
    this.#control = undefined
    if (control === undefined) take({ kind: 'data', stream: this.#stream, bytes: part, fin: this.#fin })
    else take(controlFrame(Buffer.concat(control)))
  }
}

function controlFrame(bytes: Buffer): Frame {
  const type = bytes.readUInt16BE(2)
  if (type === TYPE.ping && bytes.length !== HEADER + 4) throw new FrameError('a PING without an id')
  if (type === TYPE.ping) return { kind: 'ping', bytes }
  if (type === TYPE.goaway) return { kind: 'goaway' }
  if (type !== TYPE.reset) return { kind: 'other' }
  if (bytes.length < HEADER + 4) throw new FrameError('a RST_STREAM without a stream')
  return { kind: 'reset', stream: bytes.readUInt32BE(HEADER) & 0x7fffffff }
}
