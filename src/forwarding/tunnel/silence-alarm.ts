/** Notices that nothing comes back through a tunnel any more, long before TCP does: laptops sleep, NATs forget, cables are pulled. */
import type { Timers } from '../../time/timers.ts'

/** Milliseconds that an answer may take at least, */
const PATIENCE = 600
/** as many times as long as the last one took, */
const SLOWER = 4
/** and at most. */
const LONGEST = 3_000
/** Milliseconds without a word, after which it is asked whether there is still somebody. */
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

  /** Something was sent that is answered at once. */
  set(): void {
    if (this.#setAt !== undefined) return
    this.#setAt = this.#timers.now()
    const half = Math.min(Math.max(PATIENCE, this.#lastAnswer * SLOWER), LONGEST) / 2
    // In halves: a process that was stopped, and finds that its time is up, reads what has come meanwhile before the second one is over.
    this.#callOff = this.#timers.after(half, () => {
      this.#callOff = this.#timers.after(half, () => {
        this.#rings = true
        this.#ring()
      })
    })
  }

  /** Rings without asking anybody, until something is heard: others have fallen silent. */
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
