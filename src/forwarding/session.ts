/** One tunnel to a pod and the connections in it, as pairs of SPDY streams. */
import type { Upgraded } from '../cluster/cluster.ts'
import { dataHead, type Frame, FrameReader, ping, resetStream, synStream } from './spdy-frames.ts'
import type { Timers } from './timers.ts'
import { type Tunnel, type TunnelEvents, tunnelOver } from './tunnel.ts'

/** What the pod's end of a connection does. */
export interface StreamEvents {
  /** @returns false when there is no room for more: then `resumed` has to be called once there is */
  data(bytes: Buffer): boolean
  /** There is room for writing again. */
  drain(): void
  /** The pod has said all that it will. */
  end(): void
  /** The connection is broken, for this reason. */
  fail(reason: string, how: Failure): void
}

/** `refused`: it never reached the server. `reset`: the server broke it off. `lost`: the tunnel broke, and nobody knows how far it came. */
export type Failure = 'refused' | 'reset' | 'lost'

/** A connection's end at the tunnel. */
export interface Stream {
  /** @returns false when the buffer is full: wait for `drain` */
  write(bytes: Buffer): boolean
  /** Nothing more will be written. */
  end(): void
  /** There is room for data again. */
  resumed(): void
  /** Ends it at once, in both directions. */
  close(): void
}

interface Pair {
  data: number
  error: number
  events: StreamEvents
  /** What the error stream says: text, if anything is wrong. */
  message: Buffer
  dataEnded: boolean
  errorEnded: boolean
  /** Whether its end was told. */
  told: boolean
  callOff: () => void
}

/** The error stream's text follows the data stream's end in the same burst (containerd 1.6): so long an end is held back. */
const BURST = 250
/** More of an error's text is not kept. */
const LONGEST_MESSAGE = 4096
/** In an error's text: the pod's port had been reached. Anything else is said before that. */
const BROKEN_OFF = /reset by peer|broken pipe/i
const NONE = Buffer.alloc(0)
const LOST = 'the connection to the API server was lost'

export class Session {
  readonly #tunnel: Tunnel
  readonly #port: string
  readonly #timers: Timers
  readonly #reader = new FrameReader()
  readonly #taking = (frame: Frame) => this.#take(frame)
  readonly #streams = new Map<number, Pair>()
  /** Streams whose local end has no room: SPDY has no flow control for each, so the whole session waits. */
  readonly #full = new Set<Pair>()
  readonly #closed: (session: Session) => void
  #nextStream = 1
  #nextRequest = 0
  #count = 0
  #accepts = true
  #alive = true
  #waitsForRoom = false
  #heard = true
  /** The peer said what cannot be understood, or was given up. */
  #broken = false

  /** @param closed called once, when the tunnel is gone */
  constructor(upgraded: Upgraded, port: number, timers: Timers, closed: (session: Session) => void) {
    this.#port = String(port)
    this.#timers = timers
    this.#closed = closed
    const events: TunnelEvents = {
      data: (bytes) => this.#read(bytes),
      drain: () => this.#drained(),
      close: () => this.#lost(),
    }
    this.#tunnel = tunnelOver(upgraded, events)
  }

  get protocol(): Upgraded['protocol'] {
    return this.#tunnel.protocol
  }

  /** Connections in it. */
  get load(): number {
    return this.#count
  }

  /** Whether a slow reader or a slow server makes everything in it wait. */
  get blocked(): boolean {
    return this.#full.size > 0 || this.#waitsForRoom
  }

  get accepts(): boolean {
    return this.#accepts && this.#alive
  }

  /**
   * Opens a connection to the pod's port. Both streams and the first bytes go out in one write without waiting for an answer: one
   * round trip instead of three.
   */
  open(events: StreamEvents, first: Buffer = NONE): Stream {
    const error = this.#nextStream
    const data = error + 2
    this.#nextStream += 4
    const pair: Pair = {
      data,
      error,
      events,
      message: NONE,
      dataEnded: false,
      errorEnded: false,
      told: false,
      callOff: () => {},
    }
    if (!this.#alive) queueMicrotask(() => events.fail(LOST, 'lost'))
    else {
      this.#streams.set(error, pair).set(data, pair)
      this.#count++
    }
    const requestid = String(this.#nextRequest++)
    const syn = (stream: number, streamtype: string, isFirst: boolean, fin: boolean) =>
      synStream(stream, { streamtype, port: this.#port, requestid }, isFirst, fin)
    const opening = [syn(error, 'error', error === 1, true), syn(data, 'data', false, false)]
    if (first.length > 0) opening.push(dataHead(data, first.length), first)
    this.#send(Buffer.concat(opening))
    return {
      write: (bytes) => this.#write(pair, bytes),
      end: () => this.#finish(pair),
      resumed: () => this.#unblock(pair),
      close: () => this.#abort(pair),
    }
  }

  /** Takes no more connections, and ends with the last one. */
  retire(): void {
    this.#accepts = false
    if (this.#count === 0 && this.#alive) this.#tunnel.end()
  }

  /** Ends at once, with everything in it. */
  destroy(): void {
    this.#accepts = false
    this.#giveUp()
  }

  /** Called now and then: keeps idle tunnels open, and finds those whose other end is gone without a word. */
  beat(): void {
    if (!this.#alive) return
    // One that was blocked may have been answered without reading it; one that has ended has nothing to wait for.
    const isOver = !this.#accepts && this.#count === 0
    if (!this.#heard && (isOver || !this.blocked)) {
      this.#giveUp()
      return
    }
    this.#heard = false
    this.#send(ping(1))
  }

  #giveUp(): void {
    this.#broken = true
    this.#tunnel.destroy()
  }

  #write(pair: Pair, bytes: Buffer): boolean {
    if (!this.#streams.has(pair.data)) return true
    return this.#send(dataHead(pair.data, bytes.length), bytes)
  }

  #finish(pair: Pair): void {
    if (this.#streams.has(pair.data)) this.#send(dataHead(pair.data, 0, true))
  }

  #abort(pair: Pair): void {
    if (!this.#streams.has(pair.data)) return
    if (!(pair.dataEnded && pair.errorEnded)) this.#send(resetStream(pair.data))
    this.#release(pair)
  }

  #send(head: Buffer, bytes?: Buffer): boolean {
    const room = this.#tunnel.write(head, bytes)
    if (!room) this.#waitsForRoom = true
    return room
  }

  #drained(): void {
    this.#waitsForRoom = false
    this.#heard = true
    for (const [id, pair] of this.#streams) if (id === pair.data) pair.events.drain()
  }

  #read(bytes: Buffer): void {
    if (this.#broken) return
    this.#heard = true
    try {
      this.#reader.read(bytes, this.#taking)
    } catch {
      this.#giveUp()
    }
  }

  #take(frame: Frame): void {
    if (frame.kind === 'ping') {
      // An odd one is the echo of ours.
      if ((frame.bytes.readUInt32BE(8) & 1) === 0) this.#send(frame.bytes)
    } else if (frame.kind === 'goaway') this.retire()
    else if (frame.kind === 'reset') this.#reset(frame.stream)
    else if (frame.kind === 'data') this.#taken(frame.stream, frame.bytes, frame.fin)
  }

  #taken(id: number, bytes: Buffer, fin: boolean): void {
    const pair = this.#streams.get(id)
    if (pair === undefined) return
    if (id === pair.error) {
      pair.message = Buffer.concat([pair.message, bytes]).subarray(0, LONGEST_MESSAGE)
      pair.errorEnded ||= fin
    } else if (!pair.dataEnded) {
      if (bytes.length > 0 && !pair.events.data(bytes)) this.#block(pair)
      pair.dataEnded = fin
    }
    if (fin) this.#settle(pair)
  }

  /** A reset is told by text on the error stream; an end is one only when that stream ended without. */
  #settle(pair: Pair): void {
    const message = pair.message.toString('utf8')
    if (pair.errorEnded && message !== '') this.#fail(pair, message, BROKEN_OFF.test(message) ? 'reset' : 'refused')
    else if (pair.dataEnded && pair.errorEnded) this.#end(pair)
    else if (pair.dataEnded) pair.callOff = this.#timers.after(BURST, () => this.#end(pair))
  }

  #end(pair: Pair): void {
    pair.callOff()
    if (!pair.told) pair.events.end()
    pair.told = true
  }

  #reset(id: number): void {
    const pair = this.#streams.get(id)
    if (pair === undefined) return
    if (id === pair.data) {
      this.#fail(pair, 'the pod reset the connection', 'reset')
      return
    }
    pair.errorEnded = true
    this.#settle(pair)
  }

  #fail(pair: Pair, reason: string, how: Failure): void {
    this.#release(pair)
    pair.events.fail(reason, how)
  }

  #block(pair: Pair): void {
    if (!this.#streams.has(pair.data)) return
    if (this.#full.size === 0) this.#tunnel.pause()
    this.#full.add(pair)
  }

  #unblock(pair: Pair): void {
    if (!this.#full.delete(pair) || this.#full.size > 0) return
    // What came meanwhile is still to be read.
    this.#heard = true
    this.#tunnel.resume()
  }

  #release(pair: Pair): void {
    if (!this.#streams.delete(pair.data)) return
    this.#streams.delete(pair.error)
    pair.callOff()
    this.#count--
    this.#unblock(pair)
    if (!this.#accepts && this.#count === 0) this.#tunnel.end()
  }

  #lost(): void {
    this.#alive = false
    const pairs = new Set(this.#streams.values())
    this.#streams.clear()
    this.#count = 0
    this.#full.clear()
    for (const pair of pairs) {
      pair.callOff()
      pair.events.fail(LOST, 'lost')
    }
    this.#closed(this)
  }
}
