/** A server behind connections that stay open, on a fake clock: it answers after given times. */
import type { Sender, Sent } from '../../src/probing/sender.ts'
import type { Timers } from '../../src/time/timers.ts'

export interface Answer {
  /** Milliseconds; `undefined` never answers. */
  after: number | undefined
  sent?: Sent
}

export class FakeSender implements Sender {
  readonly #timers: Timers
  readonly #answer: (index: number) => Answer
  readonly #pending = new Set<(sent: Sent) => void>()
  /** The time of each request, and its path. */
  readonly asked: { at: number; path: string }[] = []
  /** The most requests at the same time. */
  most = 0
  closed = 0

  /** @param answer by the number of the request, from 0 */
  constructor(timers: Timers, answer: (index: number) => Answer = () => ({ after: 5 })) {
    this.#timers = timers
    this.#answer = answer
  }

  send(path: string): Promise<Sent> {
    const { after, sent = { status: 200 } } = this.#answer(this.asked.length)
    this.asked.push({ at: this.#timers.now(), path })
    return new Promise((resolve) => {
      this.#pending.add(resolve)
      this.most = Math.max(this.most, this.#pending.size)
      if (after === undefined) return
      this.#timers.after(after, () => {
        this.#pending.delete(resolve)
        resolve(sent)
      })
    })
  }

  async close(): Promise<void> {
    this.closed++
    for (const fail of this.#pending) fail({ failed: 'ENDED' })
    this.#pending.clear()
  }
}
