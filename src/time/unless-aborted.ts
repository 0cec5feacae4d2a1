/** Waits for work, or for somebody to end it. Leaves no listener behind, so that it may be called again and again. */

/** @returns what the work comes to; undefined when the signal is given before. @throws what the work throws */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const giveUp = () => resolve(undefined)
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}
