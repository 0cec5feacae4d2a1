/** Time, as forwarding needs it; tests bring their own. */
export interface Timers {
  /** Milliseconds, of a clock that only goes forward. */
  now(): number
  /** @returns what calls it off */
  after(milliseconds: number, act: () => void): () => void
}

/** Timers of JavaScript take more for nothing. */
export const LONGEST = 2 ** 31 - 1

/** @param signal ends it early */
export function pause(timers: Timers, milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      callOff()
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const callOff = timers.after(Math.min(milliseconds, LONGEST), end)
    if (signal?.aborted) end()
    else signal?.addEventListener('abort', end)
  })
}

/** Does it again and again. @returns what ends it */
export function every(milliseconds: number, timers: Timers, act: () => void): () => void {
  let callOff = () => {}
  const begin = () => {
    callOff = timers.after(milliseconds, () => {
      begin()
      act()
    })
  }
  begin()
  return () => callOff()
}
