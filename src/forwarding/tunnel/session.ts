/** One tunnel to a pod, and its connections as pairs of SPDY streams. */
import type { Upgraded } from '../../cluster/cluster.ts'
import type { Timers } from '../../time/timers.ts'
import { QuietWatch } from './quiet-watch.ts'
import { SilenceAlarm } from './silence-alarm.ts'
import { dataHead, type Frame, FrameReader, ping, resetStream, synStream } from './spdy-frames.ts'
import { type Failure, type Stream, type StreamEvents, StreamPair } from './stream-pair.ts'
import { type Tunnel, type TunnelEvents, tunnelOver } from './tunnel.ts'

const NONE = Buffer.alloc(0)
/** Milliseconds for which a session counts as slow after it was blocked. */
const SLOW = 1_000
const LOST = 'the connection to the API server was lost'

export class Session {
  readonly #tunnel: Tunnel
  readonly #port: string
  readonly #timers: Timers
  readonly #reader = new FrameReader()
  readonly #onFrame = (frame: Frame) => this.#handle(frame)
  readonly #streams = new Map<number, StreamPair>()
  /** Streams whose client is slow to read. SPDY has no flow control per stream, so the whole session is paused. */
  readonly #full = new Set<StreamPair>()
  readonly #closed: (session: Session) => void
  #nextStream = 1
  #nextRequest = 0
  #count = 0
  #accepts = true
  #alive = true
  #waitsForRoom = false
  #slowUntil = 0
  #heard = true
  readonly #silence: SilenceAlarm
  readonly #quiet: QuietWatch
  /** Whether the session was given up, or the peer sent bytes that cannot be parsed. */
  #broken = false

  /** @param closed called once, when the tunnel is gone */
  constructor(upgraded: Upgraded, port: number, timers: Timers, closed: (session: Session) => void) {
    this.#port = String(port)
    this.#timers = timers
    this.#closed = closed
    this.#silence = new SilenceAlarm(timers, () => this.#onSilence())
    this.#quiet = new QuietWatch(timers, () => this.#ping())
    const events: TunnelEvents = {
      data: (bytes) => this.#read(bytes),
      drain: () => this.#onDrain(),
      close: () => this.#onClose(),
    }
    this.#tunnel = tunnelOver(upgraded, events)
  }

  get protocol(): Upgraded['protocol'] {
    return this.#tunnel.protocol
  }

  /** How many connections are open. */
  get load(): number {
    return this.#count
  }

  /** How many connections have been opened so far. */
  get opened(): number {
    return this.#nextRequest
  }

  /** Whether a slow reader or a slow server blocks all connections. */
  get blocked(): boolean {
    return this.#full.size > 0 || this.#waitsForRoom
  }

  /** Whether the session is blocked or was a moment ago: a slow reader reads from time to time. */
  get slow(): boolean {
    return this.blocked || this.#timers.now() < this.#slowUntil
  }

  get accepts(): boolean {
    return this.#accepts && this.#alive
  }

  /** Whether it takes no more connections, because of `retire`, `destroy` or the peer. */
  get retired(): boolean {
    return !this.#accepts
  }

  /** Whether the tunnel may be dead: an answer is overdue. */
  get doubtful(): boolean {
    return this.#silence.rings
  }

  /** Treats the tunnel as dead until it answers a ping. */
  question(): void {
    if (!this.#alive || this.#full.size > 0) return
    this.#silence.doubt()
    this.#ping()
  }

  /**
   * Opens a connection to the pod's port. Both streams and the first bytes go out in one write without waiting for an answer: one
   * round trip instead of three.
   */
  open(events: StreamEvents, first: Buffer = NONE): Stream {
    const pair = new StreamPair(this.#nextStream, events, this.#timers, (...why) => this.#fail(...why))
    const { error, data } = pair
    this.#nextStream += 4
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
    // The peer replies to each new stream at once, whatever the pod does.
    if (this.#alive) {
      this.#silence.set()
      this.#quiet.start()
    }
    return {
      write: (bytes) => this.#write(pair, bytes),
      end: () => this.#finish(pair),
      resumed: () => this.#unblock(pair),
      close: () => this.#abort(pair),
    }
  }

  /** Takes no more connections, and ends after the last one. */
  retire(): void {
    this.#accepts = false
    if (this.#count === 0 && this.#alive) this.#tunnel.end()
  }

  /** Asks connections that have no answer yet to move to another pod. */
  leave(): void {
    for (const pair of new Set(this.#streams.values())) pair.events.leave()
  }

  /** Ends at once, with all connections. */
  destroy(): void {
    this.#accepts = false
    this.#giveUp()
  }

  /** Call it regularly: keeps an idle tunnel open, and ends one that does not answer. */
  beat(): void {
    if (!this.#alive) return
    // The answer to a blocked session may not have been read yet; a retired session without connections need not wait for it.
    const isOver = !this.#accepts && this.#count === 0
    if (!this.#heard && (isOver || !this.blocked)) {
      this.#giveUp()
      return
    }
    this.#heard = false
    this.#ping()
  }

  #ping(): void {
    this.#silence.set()
    this.#send(ping(1))
  }

  #onSilence(): void {
    // While reading is paused, answers are not seen.
    if (this.#full.size > 0) this.#silence.stop()
    else if (this.#count === 0) this.#giveUp()
    else for (const pair of new Set(this.#streams.values())) pair.events.silent()
  }

  #noteAnswer(): void {
    this.#heard = true
    this.#silence.heard()
  }

  #giveUp(): void {
    this.#broken = true
    this.#tunnel.destroy()
  }

  #write(pair: StreamPair, bytes: Buffer): boolean {
    if (!this.#streams.has(pair.data)) return true
    if (this.#silence.isQuiet) this.#ping()
    this.#quiet.start()
    return this.#send(dataHead(pair.data, bytes.length), bytes)
  }

  #finish(pair: StreamPair): void {
    if (this.#streams.has(pair.data)) this.#send(dataHead(pair.data, 0, true))
  }

  #abort(pair: StreamPair): void {
    if (!this.#streams.has(pair.data)) return
    if (!pair.isOver) this.#send(resetStream(pair.data))
    this.#release(pair)
  }

  #send(head: Buffer, bytes?: Buffer): boolean {
    const room = this.#tunnel.write(head, bytes)
    if (!room) this.#waitsForRoom = true
    return room
  }

  #onDrain(): void {
    this.#waitsForRoom = false
    this.#slowUntil = this.#timers.now() + SLOW
    this.#heard = true
    for (const [id, pair] of this.#streams) if (id === pair.data) pair.events.drain()
  }

  #read(bytes: Buffer): void {
    if (this.#broken) return
    this.#noteAnswer()
    try {
      this.#reader.read(bytes, this.#onFrame)
    } catch {
      this.#giveUp()
    }
  }

  #handle(frame: Frame): void {
    if (frame.kind === 'ping') {
      // An odd id is the reply to our own ping.
      if ((frame.bytes.readUInt32BE(8) & 1) === 0) this.#send(frame.bytes)
    } else if (frame.kind === 'goaway') this.retire()
    else if (frame.kind === 'reset') this.#streams.get(frame.stream)?.reset(frame.stream)
    else if (frame.kind === 'data') this.#onData(frame.stream, frame.bytes, frame.fin)
  }

  #onData(id: number, bytes: Buffer, fin: boolean): void {
    const pair = this.#streams.get(id)
    this.#quiet.received()
    if (pair !== undefined && !pair.take(id, bytes, fin)) this.#block(pair)
  }

  #fail(pair: StreamPair, reason: string, how: Failure): void {
    this.#release(pair)
    pair.events.fail(reason, how)
  }

  #block(pair: StreamPair): void {
    if (!this.#streams.has(pair.data)) return
    if (this.#full.size === 0) this.#tunnel.pause()
    this.#full.add(pair)
  }

  #unblock(pair: StreamPair): void {
    if (!this.#full.delete(pair) || this.#full.size > 0) return
    this.#slowUntil = this.#timers.now() + SLOW
    // Answers that arrived during the pause have not been read yet.
    this.#noteAnswer()
    this.#tunnel.resume()
  }

  #release(pair: StreamPair): void {
    if (!this.#streams.delete(pair.data)) return
    this.#streams.delete(pair.error)
    pair.stop()
    this.#count--
    if (this.#count === 0) this.#quiet.stop()
    this.#unblock(pair)
    if (!this.#accepts && this.#count === 0) this.#tunnel.end()
  }

  #onClose(): void {
    this.#alive = false
    this.#silence.stop()
    this.#quiet.stop()
    const pairs = new Set(this.#streams.values())
    this.#streams.clear()
    this.#count = 0
    this.#full.clear()
    for (const pair of pairs) {
      pair.stop()
      pair.events.fail(LOST, 'lost')
    }
    this.#closed(this)
  }
}
