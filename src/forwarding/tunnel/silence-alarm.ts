/** Notices a dead tunnel long before TCP does: laptops sleep, NATs forget connections, cables are pulled. */
import type { Timers } from '../../time/timers.ts'

/** Shortest time limit for an answer, in milliseconds. */
const SHORTEST = 600
/** The time limit is this many times the duration of the last answer, between SHORTEST and LONGEST. */
const FACTOR = 4
/** Longest time limit for an answer, in milliseconds. */
const LONGEST = 3_000
/** Milliseconds of silence after which the tunnel should be pinged. */
const QUIET = 1_000

export class SilenceAlarm {
  readonly #timers: Timers
  readonly #ring: () => void
  #heardAt: number
  #setAt: number | undefined
  #lastAnswer = 0
  #rings = false
  #callOff = () => {}

  /** @param ring called once for each silence */
  constructor(timers: Timers, ring: () => void) {
    this.#timers = timers
    this.#ring = ring
    this.#heardAt = timers.now()
  }

  /** Whether an answer is overdue. */
  get rings(): boolean {
    return this.#rings
  }

  get isQuiet(): boolean {
    return this.#setAt === undefined && this.#timers.now() - this.#heardAt > QUIET
  }

  /** Call it after sending something that the peer answers at once. */
  set(): void {
    if (this.#setAt !== undefined) return
    this.#setAt = this.#timers.now()
    const half = Math.min(Math.max(SHORTEST, this.#lastAnswer * FACTOR), LONGEST) / 2
    // Two halves: a process that was suspended reads the answers that have arrived before the second half is over.
    this.#callOff = this.#timers.after(half, () => {
      this.#callOff = this.#timers.after(half, () => {
        this.#rings = true
        this.#ring()
      })
    })
  }

  /** Rings until an answer comes, because other tunnels have become silent. */
  doubt(): void {
    this.#rings = true
  }

  heard(): void {
    this.#heardAt = this.#timers.now()
    if (this.#setAt !== undefined) this.#lastAnswer = this.#heardAt - this.#setAt
    this.stop()
  }

  stop(): void {
    this.#callOff()
    this.#setAt = undefined
    this.#rings = false
  }
}
