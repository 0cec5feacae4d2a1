/** Waits for work or for a signal. It leaves no listener behind, so it can be called repeatedly with the same signal. */

/** @returns the result of the work; undefined if the signal is aborted before. @throws the error of the work */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const giveUp = () => resolve(undefined)
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}
