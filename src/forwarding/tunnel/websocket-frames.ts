/** Pure: WebSocket framing of a client. RFC 6455, section 5. */

const OPCODE = { continuation: 0, binary: 2, close: 8, ping: 9, pong: 10 } as const
const FINAL = 0x80
const MASKED = 0x80
/** Only extensions set these bits, and we ask for none. */
const RESERVED = 0x70
const KNOWN: number[] = Object.values(OPCODE)
const NONE = Buffer.alloc(0)
/** Control frames are at most this long (section 5.5). */
const LONGEST_CONTROL = 125

/**
 * The head of one final binary frame. Clients have to mask. A key of zero leaves the bytes unchanged: servers accept it, and it
 * costs nothing (masking was a quarter of the CPU per uploaded GiB).
 */
export function binaryHead(length: number): Buffer {
  return head(OPCODE.binary, length)
}

/** The reply to a ping, with the same payload. */
export function pong(payload: Buffer): Buffer {
  return Buffer.concat([head(OPCODE.pong, payload.length), payload])
}

/** A close frame with status 1000, a normal end. */
export function closeFrame(): Buffer {
  return Buffer.concat([head(OPCODE.close, 2), Buffer.from([0x03, 0xe8])])
}

function head(opcode: number, length: number): Buffer {
  const extended = length < 126 ? 0 : length < 65536 ? 2 : 8
  const bytes = Buffer.alloc(2 + extended + 4)
  bytes[0] = FINAL | opcode
  bytes[1] = MASKED | (extended === 0 ? length : extended === 2 ? 126 : 127)
  if (extended === 2) bytes.writeUInt16BE(length, 2)
  if (extended === 8) bytes.writeBigUInt64BE(BigInt(length), 2)
  return bytes
}

export interface WebSocketEvents {
  /** Payload bytes, in parts, without copying. @param begins whether they are the first ones of a message */
  payload(bytes: Buffer, begins: boolean): void
  ping(payload: Buffer): void
  pong(): void
  close(): void
}

/** The peer sent a frame that breaks the protocol. */
export class WebSocketError extends Error {}

/** Reads payload from chunks of any size. */
export class WebSocketReader {
  #head: Buffer = NONE
  #left = 0
  #opcode: number = OPCODE.binary
  #begins = false
  #control: Buffer[] = []

  /** @throws WebSocketError; nothing can be read after it */
  read(chunk: Buffer, events: WebSocketEvents): void {
    const bytes = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk])
    this.#head = NONE
    for (let at = 0; at < bytes.length; ) {
      if (this.#left === 0) {
        const size = this.#begin(bytes, at)
        if (size === 0) {
          this.#head = Buffer.from(bytes.subarray(at))
          return
        }
        at += size
        if (this.#left === 0) this.#finish(events)
        continue
      }
      const part = slice(bytes, at, this.#left)
      at += part.length
      this.#left -= part.length
      if (this.#opcode < OPCODE.close) this.#pass(part, events)
      else this.#control.push(part)
      if (this.#left === 0) this.#finish(events)
    }
  }

  /** @returns length of the frame's head; 0 while it is incomplete */
  #begin(bytes: Buffer, at: number): number {
    const [first = 0, second = 0] = [bytes[at], bytes[at + 1]]
    const short = second & 0x7f
    const size = short === 126 ? 4 : short === 127 ? 10 : 2
    if (bytes.length - at < size) return 0
    this.#opcode = first & 0x0f
    this.#left = size === 4 ? bytes.readUInt16BE(at + 2) : size === 10 ? Number(bytes.readBigUInt64BE(at + 2)) : short
    this.#check(first, second)
    if (this.#opcode === OPCODE.binary) this.#begins = true
    return size
  }

  #pass(part: Buffer, events: WebSocketEvents): void {
    const begins = this.#begins
    this.#begins = false
    events.payload(part, begins)
  }

  /** A tunnel with a broken frame is given up: guessing would pass noise on as data. */
  #check(first: number, second: number): void {
    if ((first & RESERVED) !== 0 || (second & MASKED) !== 0 || !KNOWN.includes(this.#opcode))
      throw new WebSocketError(`a frame that begins with ${first}, ${second}`)
    if (!Number.isSafeInteger(this.#left)) throw new WebSocketError('a frame longer than any')
    if (this.#opcode >= OPCODE.close && (this.#left > LONGEST_CONTROL || (first & FINAL) === 0))
      throw new WebSocketError('a control frame too long, or in parts')
  }

  #finish(events: WebSocketEvents): void {
    const payload = Buffer.concat(this.#control)
    this.#control = []
    if (this.#opcode === OPCODE.ping) events.ping(payload)
    else if (this.#opcode === OPCODE.pong) events.pong()
    else if (this.#opcode === OPCODE.close) events.close()
  }
}

/** A view is surprisingly expensive: none is made of a whole chunk. */
function slice(bytes: Buffer, at: number, longest: number): Buffer {
  return at === 0 && bytes.length <= longest ? bytes : bytes.subarray(at, at + longest)
}
