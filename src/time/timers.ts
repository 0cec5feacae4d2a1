/** Interface to timers; tests use a fake. */
export interface Timers {
  /** Milliseconds of a monotonic clock. */
  now(): number
  /** @returns a function that cancels it */
  after(milliseconds: number, act: () => void): () => void
}

/** The longest time that a JavaScript timer accepts: with a longer one it fires at once. */
export const LONGEST = 2 ** 31 - 1

/** Waits for a time. @param signal ends the wait early, without an error */
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

/** Calls a function repeatedly. @returns a function that stops it */
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
