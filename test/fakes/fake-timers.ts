/** A clock that only moves when a test moves it. */
import type { Timers } from '../../src/time/timers.ts'

interface Timer {
  at: number
  act: () => void
}

/** Waits for everything that needs no time: promises, streams and sockets of this process. */
export async function settle(rounds = 4): Promise<void> {
  for (let round = 0; round < rounds; round++) await new Promise((resolve) => setImmediate(resolve))
}

export class FakeTimers implements Timers {
  #now = 0
  readonly #due = new Set<Timer>()

  now(): number {
    return this.#now
  }

  after(milliseconds: number, act: () => void): () => void {
    const due = { at: this.#now + Math.max(0, milliseconds), act }
    this.#due.add(due)
    return () => void this.#due.delete(due)
  }

  /** Pending timers. */
  get pending(): number {
    return this.#due.size
  }

  /** Moves the clock and runs due timers in order. */
  async pass(milliseconds: number): Promise<void> {
    const until = this.#now + milliseconds
    await settle()
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#due.delete(next)
      this.#now = next.at
      next.act()
      await settle()
    }
    this.#now = until
    await settle()
  }

  #next(until: number): Timer | undefined {
    return [...this.#due].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
  }
}

/** Waits for local sockets, which need a moment of real time. */
export async function eventually(condition: () => boolean, what = String(condition)): Promise<void> {
  const started = performance.now()
  while (!condition()) {
    if (performance.now() - started > 3_000) throw new Error(`never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
