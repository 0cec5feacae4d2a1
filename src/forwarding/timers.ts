/** Time, as forwarding needs it; tests bring their own. */
export interface Timers {
  /** Milliseconds, of a clock that only goes forward. */
  now(): number
  /** @returns what calls it off */
  after(milliseconds: number, act: () => void): () => void
}

export function pause(timers: Timers, milliseconds: number): Promise<void> {
  return new Promise((resolve) => timers.after(milliseconds, resolve))
}
