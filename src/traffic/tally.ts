/** Counts the answers of a run. Its memory does not depend on their number: latencies are in a histogram (HdrHistogram, in Node.js). */
import { createHistogram } from 'node:perf_hooks'
import type { Sent } from '../probing/sender.ts'
import { LIMITS } from './limits.ts'

/** Milliseconds, of answered requests, from the moment at which each was due. */
export interface Latency {
  p50: number
  p90: number
  p99: number
  max: number
}

/** Microseconds: a minute longer than a run may take. */
const LONGEST = (LIMITS.milliseconds + 60_000) * 1_000

/** How the last requests ended decides whether a run goes on. */
const WINDOW = 100
/** Fewer say nothing yet. */
const FEWEST = 20
/** Of errors; others are counted together. */
const MOST_CODES = 20
const OTHERS = 'OTHERS'

export class Tally {
  readonly statuses = new Map<number, number>()
  readonly errors = new Map<string, number>()
  /** Three digits, in microseconds. */
  readonly #latencies = createHistogram({ lowest: 1, highest: LONGEST, figures: 3 })
  /** Whether each of the last requests failed. */
  readonly #last = new Uint8Array(WINDOW)
  #done = 0
  #failed = 0
  #failedLast = 0

  /** @param latency milliseconds */
  count(sent: Sent, latency: number): void {
    const hasFailed = 'failed' in sent || sent.status >= 500
    if ('failed' in sent) this.#countError(sent.failed)
    else {
      this.statuses.set(sent.status, (this.statuses.get(sent.status) ?? 0) + 1)
      this.#latencies.record(Math.min(LONGEST, Math.max(1, Math.round(latency * 1_000))))
    }
    const at = this.#done % WINDOW
    this.#failedLast += Number(hasFailed) - (this.#last[at] ?? 0)
    this.#last[at] = Number(hasFailed)
    this.#done++
    this.#failed += Number(hasFailed)
  }

  #countError(code: string): void {
    const known = this.errors.has(code) || this.errors.size < MOST_CODES ? code : OTHERS
    this.errors.set(known, (this.errors.get(known) ?? 0) + 1)
  }

  get done(): number {
    return this.#done
  }

  get answered(): number {
    return this.#latencies.count
  }

  get unanswered(): number {
    return this.#done - this.answered
  }

  /** Requests without an answer, and with a status from 500. */
  get failed(): number {
    return this.#failed
  }

  /** Of all requests: 0 to 1. */
  get share(): number {
    return this.#done === 0 ? 0 : this.#failed / this.#done
  }

  /** Of the last hundred requests, as soon as there are twenty: 0 to 1. */
  get recentShare(): number {
    return this.#done < FEWEST ? 0 : this.#failedLast / Math.min(this.#done, WINDOW)
  }

  /** @returns undefined without an answer */
  latency(): Latency | undefined {
    if (this.answered === 0) return undefined
    const at = (percent: number) => milliseconds(this.#latencies.percentile(percent))
    return { p50: at(50), p90: at(90), p99: at(99), max: milliseconds(this.#latencies.max) }
  }
}

function milliseconds(microseconds: number): number {
  return Math.round(microseconds / 10) / 100
}
