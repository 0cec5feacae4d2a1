/** One tunnel to a pod and the connections in it, as pairs of SPDY streams. */
import type { Upgraded } from '../../cluster/cluster.ts'
import type { Timers } from '../../time/timers.ts'
import { QuietWatch } from './quiet-watch.ts'
import { SilenceAlarm } from './silence-alarm.ts'
import { dataHead, type Frame, FrameReader, ping, resetStream, synStream } from './spdy-frames.ts'
import { type Failure, type Stream, type StreamEvents, StreamPair } from './stream-pair.ts'
import { type Tunnel, type TunnelEvents, tunnelOver } from './tunnel.ts'

const NONE = Buffer.alloc(0)
/** Milliseconds for which one that was blocked is taken for one that will be again. */
const SLOW = 1_000
const LOST = 'the connection to the API server was lost'

export class Session {
  readonly #tunnel: Tunnel
  readonly #port: string
  readonly #timers: Timers
  readonly #reader = new FrameReader()
  readonly #taking = (frame: Frame) => this.#take(frame)
  readonly #streams = new Map<number, StreamPair>()
  /** Streams whose local end has no room: SPDY has no flow control for each, so the whole session waits. */
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
  /** The peer said what cannot be understood, or was given up. */
  #broken = false

  /** @param closed called once, when the tunnel is gone */
  constructor(upgraded: Upgraded, port: number, timers: Timers, closed: (session: Session) => void) {
    this.#port = String(port)
    this.#timers = timers
    this.#closed = closed
    this.#silence = new SilenceAlarm(timers, () => this.#fallenSilent())
    this.#quiet = new QuietWatch(timers, () => this.#ask())
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

  /** Connections that there have been. */
  get opened(): number {
    return this.#nextRequest
  }

  /** Whether a slow reader or a slow server makes everything in it wait. */
  get blocked(): boolean {
    return this.#full.size > 0 || this.#waitsForRoom
  }

  /** Whether it is blocked or was a moment ago: a slow reader takes what there is now and then. */
  get slow(): boolean {
    return this.blocked || this.#timers.now() < this.#slowUntil
  }

  get accepts(): boolean {
    return this.#accepts && this.#alive
  }

  /** Whether it was wanted to end. */
  get retired(): boolean {
    return !this.#accepts
  }

  /** Whether it may lead nowhere: nothing comes back. */
  get doubtful(): boolean {
    return this.#silence.rings
  }

  /** Takes it for one that leads nowhere until it answers. */
  question(): void {
    if (!this.#alive || this.#full.size > 0) return
    this.#silence.doubt()
    this.#ask()
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
    // Each stream is replied to at once, whatever the pod does.
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

  /** Takes no more connections, and ends with the last one. */
  retire(): void {
    this.#accepts = false
    if (this.#count === 0 && this.#alive) this.#tunnel.end()
  }

  /** There is a better place for what has not been answered. */
  leave(): void {
    for (const pair of new Set(this.#streams.values())) pair.events.leave()
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
    this.#ask()
  }

  #ask(): void {
    this.#silence.set()
    this.#send(ping(1))
  }

  #fallenSilent(): void {
    // What we do not read cannot be heard.
    if (this.#full.size > 0) this.#silence.stop()
    else if (this.#count === 0) this.#giveUp()
    else for (const pair of new Set(this.#streams.values())) pair.events.silent()
  }

  #hear(): void {
    this.#heard = true
    this.#silence.heard()
  }

  #giveUp(): void {
    this.#broken = true
    this.#tunnel.destroy()
  }

  #write(pair: StreamPair, bytes: Buffer): boolean {
    if (!this.#streams.has(pair.data)) return true
    if (this.#silence.isQuiet) this.#ask()
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

  #drained(): void {
    this.#waitsForRoom = false
    this.#slowUntil = this.#timers.now() + SLOW
    this.#heard = true
    for (const [id, pair] of this.#streams) if (id === pair.data) pair.events.drain()
  }

  #read(bytes: Buffer): void {
    if (this.#broken) return
    this.#hear()
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
    else if (frame.kind === 'reset') this.#streams.get(frame.stream)?.reset(frame.stream)
    else if (frame.kind === 'data') this.#taken(frame.stream, frame.bytes, frame.fin)
  }

  #taken(id: number, bytes: Buffer, fin: boolean): void {
    const pair = this.#streams.get(id)
    this.#quiet.moved()
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
    // What came meanwhile is still to be read.
    this.#hear()
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

  #lost(): void {
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
