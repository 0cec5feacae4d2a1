/** The only loop that waits: it looks repeatedly until a look is good or the time is over. */
import type { Clock } from './clock.ts'

export interface Wait<Look> {
  look(): Promise<Look>
  isDone(look: Look): boolean
  /** Milliseconds between two looks. */
  pause: number
  /** Milliseconds. At least one look is taken, also with 0. */
  timeout: number
  /**
   * How far a look has come. The timeout starts again whenever this number exceeds all numbers before: a long series of steps may
   * take its time, but not stand still. Left out: the timeout is for the whole wait.
   */
  reached?(look: Look): number
  /** Called after each look, the last one too. @param elapsed milliseconds since the beginning */
  progress?(look: Look, elapsed: number): void
  /** Called once if the wait takes long: explains to the user what it is for. */
  explain?(look: Look): void
  /** Milliseconds without an explanation; 3 seconds when left out. */
  patience?: number
  /** Ends the wait: the last look is returned. */
  signal?: AbortSignal
  /** The error that gives the reason when the time is over. Left out: the last look is returned, and contains the reason. */
  giveUp?(look: Look): Error | Promise<Error>
}

/** Shorter waits need no words. */
const PATIENCE = 3_000

/** @returns the last look. @throws what `look` throws, at once, and what `giveUp` returns */
export async function until<Look>(wait: Wait<Look>, clock: Clock): Promise<Look> {
  const started = clock.now().getTime()
  let [from, furthest, explained] = [started, Number.NEGATIVE_INFINITY, false]
  for (;;) {
    const look = await wait.look()
    const now = clock.now().getTime()
    wait.progress?.(look, now - started)
    if (isOver(wait, look)) return look
    const reached = wait.reached?.(look) ?? Number.NEGATIVE_INFINITY
    if (reached > furthest) [from, furthest] = [now, reached]
    if (now - from >= wait.timeout) {
      if (wait.giveUp === undefined) return look
      throw await wait.giveUp(look)
    }
    if (!explained && now - started >= (wait.patience ?? PATIENCE)) {
      wait.explain?.(look)
      explained = true
    }
    await clock.sleep(wait.pause, wait.signal)
  }
}

function isOver<Look>({ isDone, signal }: Wait<Look>, look: Look): boolean {
  return isDone(look) || signal?.aborted === true
}

/** Waits a fixed time, for what nobody can be asked about. */
export function waitFor(milliseconds: number, clock: Clock): Promise<void> {
  return clock.sleep(milliseconds)
}

/** A timer of Node.js takes 24 days at most, so that longer waits have several. */
const LONGEST_SLEEP = 3_600_000

/** Waits for a moment. @param moment left out: only the signal ends the wait */
export async function untilTime(moment: Date | undefined, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const left = (moment?.getTime() ?? Number.POSITIVE_INFINITY) - clock.now().getTime()
    if (left <= 0) return
    await clock.sleep(Math.min(left, LONGEST_SLEEP), signal)
  }
}
