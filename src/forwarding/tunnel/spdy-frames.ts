/**
 * Pure: reads and writes the frames of SPDY/3.1 that port-forwarding needs. There is no flow control per stream
 * (moby/spdystream has none), and header blocks are only written, never read.
 * https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/
 */

export const FIN = 1

/** A frame of the peer. A long data frame is passed on in parts as they arrive. */
export type Frame =
  | { kind: 'data'; stream: number; bytes: Buffer; fin: boolean }
  | { kind: 'reset'; stream: number }
  | { kind: 'ping'; bytes: Buffer }
  | { kind: 'goaway' }
  | { kind: 'other' }

/** The peer sent a frame that is not SPDY, or is longer than any frame of port-forwarding. */
export class FrameError extends Error {}

const NONE = Buffer.alloc(0)
const HEADER = 8
/** Length of the ids and the priority in a SYN_STREAM. */
const STREAM_IDS = 10
/** Length of the head of a stored block (RFC 1951, section 3.2.4). */
const STORED = 5
/** Length of the number before each text. */
const LENGTH = 4
const CONTROL = 0x80
const VERSION = 3
const TYPE = { synStream: 1, reset: 3, ping: 6, goaway: 7 } as const
/** SYN_REPLY and SETTINGS are some dozens of bytes. */
const LONGEST_CONTROL = 64 * 1024

/** A zlib header with the id of the preset dictionary (RFC 1950): only in the first header block of a session. */
const ZLIB_HEADER = Buffer.from([0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2])
/** An empty stored block (RFC 1951): without it Go's inflate does not hand out the block before. */
const ZLIB_FLUSH = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff])

/**
 * Opens a stream. Its headers are "compressed" as stored blocks, so that no zlib is needed to write them. Written into one buffer,
 * because every connection opens two streams.
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

/** The head of a data frame, to be written before its bytes. */
export function dataHead(stream: number, length: number, fin = false): Buffer {
  const head = Buffer.allocUnsafe(HEADER)
  head.writeUInt32BE(stream, 0)
  head.writeUInt32BE(((fin ? FIN : 0) << 24) | length, 4)
  return head
}

/** A RST_STREAM with the status CANCEL. */
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

/** Reads frames from chunks of any size. Data is passed on without copying. */
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
        // A view is surprisingly expensive: none is made of a whole chunk.
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

  /** Reads a complete frame head. */
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
