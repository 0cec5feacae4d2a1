/** Milliseconds of a monotonic clock. Not `performance.now()`, whose module takes 2 ms to load. */
export function now(): number {
  return process.uptime() * 1_000
}

/** The header has whole seconds, and the answer was on its way: clocks that differ by less count as equal. */
const EXACTNESS = 2_000

/** The clock of a server, read from its answers. */
export class ServerClock {
  #ahead: number | undefined

  /** How many milliseconds it is ahead of this machine's; `undefined` before the first answer. */
  get ahead(): number | undefined {
    return this.#ahead
  }

  /** @param date the header of an answer: RFC 9110 wants it from every server with a clock */
  read(date: string | undefined): void {
    const ahead = Date.parse(date ?? '') - Date.now()
    if (Number.isFinite(ahead)) this.#ahead = Math.abs(ahead) < EXACTNESS ? 0 : ahead
  }
}
