/** A clock that moves only when it is told to. */
import type { Timers } from '../../src/time/timers.ts'

interface Due {
  at: number
  act: () => void
}

/** Lets everything happen that needs no time: promises, and what streams and sockets of this process have to say. */
export async function settle(rounds = 4): Promise<void> {
  for (let round = 0; round < rounds; round++) await new Promise((resolve) => setImmediate(resolve))
}

export class FakeTimers implements Timers {
  #now = 0
  readonly #due = new Set<Due>()

  now(): number {
    return this.#now
  }

  after(milliseconds: number, act: () => void): () => void {
    const due = { at: this.#now + Math.max(0, milliseconds), act }
    this.#due.add(due)
    return () => void this.#due.delete(due)
  }

  /** Timers that nobody called off. */
  get pending(): number {
    return this.#due.size
  }

  /** Time passes, and what is due happens, in order. */
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

  #next(until: number): Due | undefined {
    return [...this.#due].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
  }
}

/** Waits for sockets of this machine, which need a moment and no more. */
export async function eventually(isSo: () => boolean, what = String(isSo)): Promise<void> {
  const started = performance.now()
  while (!isSo()) {
    if (performance.now() - started > 3_000) throw new Error(`never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
