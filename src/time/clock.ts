/** Interface to the clock; tests use a fake. */

export interface Clock {
  now(): Date
  /**
   * @param milliseconds how long to wait
   * @param signal ends it early, without an error
   */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>
}
