/** A connection in a tunnel: its data stream, and its error stream that reports how it ends. */
import type { Timers } from '../../time/timers.ts'

/** Events from the pod's end of a connection. */
export interface StreamEvents {
  /** @returns false when the local buffer is full: then call `resumed` when it has room again */
  data(bytes: Buffer): boolean
  /** There is room for writing again. */
  drain(): void
  /** The pod will send nothing more. */
  end(): void
  /** No answer has come through the tunnel for a while. The tunnel may be dead or recover. */
  silent(): void
  /** The pod terminates and another one is Ready: requests without an answer should move there. */
  leave(): void
  /** The connection is broken, for this reason. */
  fail(reason: string, how: Failure): void
}

/**
 * `refused`: the connection never reached the server. `reset`: the server reset it. `lost`: the tunnel broke at an unknown moment.
 * `unclear`: it failed at the pod's node, before or after it reached the server.
 */
export type Failure = 'refused' | 'reset' | 'lost' | 'unclear'

/** A connection's end at the tunnel. */
export interface Stream {
  /** @returns false when the buffer is full: wait for `drain` */
  write(bytes: Buffer): boolean
  /** Nothing more will be written. */
  end(): void
  /** Call it when the local buffer has room again. */
  resumed(): void
  /** Ends the connection at once, in both directions. */
  close(): void
}

/** Milliseconds for which an end is held back: the error stream's text follows the data stream's end in the same burst (containerd 1.6). */
const BURST = 250
/** Longest error text that is kept. */
const LONGEST_MESSAGE = 4096
/** Matches error texts of connections that the server reset. */
const RESET = /reset by peer|broken pipe/i
/**
 * Matches error texts of connections that never reached the server: the dial failed (containerd, CRI-O; socat of cri-dockerd and of old
 * containerd), or the runtime found no pod to dial in. A POST is sent again only after one of these.
 * https://github.com/containerd/containerd/blob/main/internal/cri/server/sandbox_portforward_linux.go
 * https://github.com/cri-o/cri-o/blob/main/internal/oci/runtime_oci.go
 */
const REFUSED =
  /failed to (connect to localhost:|dial )|\bdial tcp|socat\[\d+\] E connect\(|\b(socat|nsenter) not found|network namespace for sandbox "[^"]*" is closed|\b(sandbox|container|pod)\b.* not (found|running)/i
/** Matches texts that speak of a connection after its dial, whatever else they contain. */
const CARRIED =
  /signal:|exit status (?!1\b)|\b(read|write) tcp|closed network connection|\bEOF\b|context (canceled|deadline)/i

export class StreamPair {
  readonly error: number
  readonly data: number
  readonly events: StreamEvents
  readonly #timers: Timers
  readonly #fail: (reason: string, how: Failure) => void
  /** Text of the error stream; empty if nothing is wrong. */
  #message = Buffer.alloc(0)
  #dataEnded = false
  #errorEnded = false
  #endReported = false
  #callOff = () => {}

  /**
   * @param error id of the error stream; the data stream has the next id of a client
   * @param fail removes the pair from its session and reports the failure
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

  /** Whether the pod has ended both streams. */
  get isOver(): boolean {
    return this.#dataEnded && this.#errorEnded
  }

  /** @returns false when the local buffer is full */
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

  /** Call it when the pod resets one of the streams. */
  reset(id: number): void {
    if (id === this.data) {
      this.#fail('the pod reset the connection', 'reset')
      return
    }
    this.#errorEnded = true
    this.#settle()
  }

  /** Cancels an end that is held back. */
  stop(): void {
    this.#callOff()
  }

  /** Text on the error stream means a reset; without text the end of both streams is a normal end. */
  #settle(): void {
    const message = this.#message.toString('utf8')
    if (this.#errorEnded && message !== '') this.#fail(message, failureOf(message))
    else if (this.isOver) this.#end()
    else if (this.#dataEnded) this.#callOff = this.#timers.after(BURST, () => this.#end())
  }

  #end(): void {
    this.#callOff()
    if (!this.#endReported) this.events.end()
    this.#endReported = true
  }
}

function failureOf(message: string): Failure {
  if (RESET.test(message)) return 'reset'
  // The end of a text of this length may be missing.
  const isWhole = message.length < LONGEST_MESSAGE
  return isWhole && REFUSED.test(message) && !CARRIED.test(message) ? 'refused' : 'unclear'
}
