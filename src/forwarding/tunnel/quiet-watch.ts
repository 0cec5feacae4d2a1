/** Pings a silent tunnel from time to time while connections in it wait for an answer. */
import type { Timers } from '../../time/timers.ts'

/** Milliseconds of silence before the first ping. Each later silence is twice as long. */
const FIRST = 500
/** Longest silence between two pings, in milliseconds. */
const LONGEST = 16_000

/**
 * An API server that has lost its connection to the kubelet was seen to keep the tunnel open until the next write: a request that had
 * been sent just before was never answered. For a long poll this costs a few pings.
 */
export class QuietWatch {
  readonly #timers: Timers
  readonly #ping: () => void
  #hasReceived = false
  #pause = 0
  #callOff = () => {}

  constructor(timers: Timers, ping: () => void) {
    this.#timers = timers
    this.#ping = ping
  }

  /** Call it when a connection begins to wait for an answer. */
  start(): void {
    this.#hasReceived = true
    if (this.#pause === FIRST) return
    this.#callOff()
    this.#wait(FIRST)
  }

  /** Call it when data arrives. */
  received(): void {
    this.#hasReceived = true
  }

  /** Call it when no connection waits any more. */
  stop(): void {
    this.#callOff()
    this.#pause = 0
  }

  #wait(milliseconds: number): void {
    this.#pause = milliseconds
    this.#callOff = this.#timers.after(milliseconds, () => {
      const isQuiet = !this.#hasReceived
      this.#hasReceived = false
      if (isQuiet) this.#ping()
      this.#wait(isQuiet ? Math.min(milliseconds * 2, LONGEST) : FIRST)
    })
  }
}
