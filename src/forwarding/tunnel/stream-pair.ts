/** A connection in a tunnel: its pair of SPDY streams, and what they say of how it ends. */
import type { Timers } from '../../time/timers.ts'

/** What the pod's end of a connection does. */
export interface StreamEvents {
  /** @returns false when there is no room for more: then `resumed` has to be called once there is */
  data(bytes: Buffer): boolean
  /** There is room for writing again. */
  drain(): void
  /** The pod has said all that it will. */
  end(): void
  /** Nothing has come back through the tunnel for a while. It may be over, or go on later. */
  silent(): void
  /** Its pod is going, and another one is Ready: what is not answered yet may never be. */
  leave(): void
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

/** The error stream's text follows the data stream's end in the same burst (containerd 1.6): so long an end is held back. */
const BURST = 250
/** More of an error's text is not kept. */
const LONGEST_MESSAGE = 4096
/** In an error's text: the pod's port had been reached. Anything else is said before that. */
const BROKEN_OFF = /reset by peer|broken pipe/i

export class StreamPair {
  readonly error: number
  readonly data: number
  readonly events: StreamEvents
  readonly #timers: Timers
  readonly #fail: (reason: string, how: Failure) => void
  /** What the error stream says: text, if anything is wrong. */
  #message = Buffer.alloc(0)
  #dataEnded = false
  #errorEnded = false
  /** Whether its end was told. */
  #told = false
  #callOff = () => {}

  /**
   * @param error number of its error stream; the data stream is the next one of a client
   * @param fail whoever has the tunnel lets go of it, and tells
   */
  constructor(
    error: number,
    events: StreamEvents,
    timers: Timers,
    fail: (pair: StreamPair, reason: string, how: Failure) => void,
  ) {
    this.error = error
    this.data = error + 2
    this.events = events
    this.#timers = timers
    this.#fail = (reason, how) => fail(this, reason, how)
  }

  /** Whether the pod's side has nothing more to say on either stream. */
  get isOver(): boolean {
    return this.#dataEnded && this.#errorEnded
  }

  /** @returns false when there is no room for more */
  take(id: number, bytes: Buffer, fin: boolean): boolean {
    let room = true
    if (id === this.error) {
      this.#message = Buffer.concat([this.#message, bytes]).subarray(0, LONGEST_MESSAGE)
      this.#errorEnded ||= fin
    } else if (!this.#dataEnded) {
      room = bytes.length === 0 || this.events.data(bytes)
      this.#dataEnded = fin
    }
    if (fin) this.#settle()
    return room
  }

  /** The pod resets one of the streams. */
  reset(id: number): void {
    if (id === this.data) {
      this.#fail('the pod reset the connection', 'reset')
      return
    }
    this.#errorEnded = true
    this.#settle()
  }

  /** Holds nothing back any more. */
  stop(): void {
    this.#callOff()
  }

  /** A reset is told by text on the error stream; an end is one only when that stream ended without. */
  #settle(): void {
    const message = this.#message.toString('utf8')
    if (this.#errorEnded && message !== '') this.#fail(message, BROKEN_OFF.test(message) ? 'reset' : 'refused')
    else if (this.isOver) this.#end()
    else if (this.#dataEnded) this.#callOff = this.#timers.after(BURST, () => this.#end())
  }

  #end(): void {
    this.#callOff()
    if (!this.#told) this.events.end()
    this.#told = true
  }
}
