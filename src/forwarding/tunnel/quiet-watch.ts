/** Asks a tunnel now and then whether it is still there, while connections in it wait. */
import type { Timers } from '../../time/timers.ts'

/** Milliseconds in which nothing came, after which it is asked, */
const FIRST = 500
/** then twice as long each time, up to this. */
const LONGEST = 16_000

/**
 * An API server that has lost its connection to the kubelet was seen to keep the tunnel open until somebody writes into it: a request that
 * had been sent just before was never answered. A long poll costs a few pings.
 */
export class QuietWatch {
  readonly #timers: Timers
  readonly #ask: () => void
  #moved = false
  #pause = 0
  #callOff = () => {}

  constructor(timers: Timers, ask: () => void) {
    this.#timers = timers
    this.#ask = ask
  }

  /** Somebody waits for an answer from now on. */
  start(): void {
    this.#moved = true
    if (this.#pause === FIRST) return
    this.#callOff()
    this.#wait(FIRST)
  }

  /** Something came. */
  moved(): void {
    this.#moved = true
  }

  /** Nobody waits any more. */
  stop(): void {
    this.#callOff()
    this.#pause = 0
  }

  #wait(milliseconds: number): void {
    this.#pause = milliseconds
    this.#callOff = this.#timers.after(milliseconds, () => {
      const isQuiet = !this.#moved
      this.#moved = false
      if (isQuiet) this.#ask()
      this.#wait(isQuiet ? Math.min(milliseconds * 2, LONGEST) : FIRST)
    })
  }
}
