/** The API server's time. Times of expiry follow it, because the clocks of laptops and nodes may be wrong. */
import type { Clock } from './clock.ts'

/** @param server how many milliseconds its clock is ahead of this machine's, as far as it is known */
export function serverTime({
  cluster: { clockAhead = 0 },
  clock,
}: {
  cluster: { readonly clockAhead: number | undefined }
  clock: Clock
}): Date {
  return new Date(clock.now().getTime() + clockAhead)
}
