/**
 * Sends requests at the times at which they are due. Latencies count from there: a request that waits for a connection, because earlier
 * ones take long, has waited for the server, too ("coordinated omission").
 */
import type { Sender, Sent } from '../probing/sender.ts'
import { every, type Timers } from '../time/timers.ts'
import { dueAt, type Schedule } from './limits.ts'
import { Tally } from './tally.ts'

/** Milliseconds after the last due request in which answers are waited for. */
const PATIENCE = 15_000
/** Milliseconds between two lines of progress. */
const REFRESH = 250

export interface Run extends Schedule {
  concurrency: number
  /** In turn. */
  paths: readonly string[]
  /** The share of errors at which the run ends. */
  maxErrors: number
}

export interface RunWorld {
  sender: Sender
  timers: Timers
  /** Ends the run. */
  signal: AbortSignal
  progress?: ((state: Progress) => void) | undefined
}

export interface Progress {
  done: number
  requests: number
  /** A second. */
  rate: number
  p50?: number
  p99?: number
  /** Answers with a status from 500. */
  refused: number
  /** Requests that got no answer. */
  unanswered: number
  /** Milliseconds until the last request is due. */
  left: number
  /** Whether all requests have ended, and what the mesh recorded of them is waited for. */
  isOver?: true
}

/**
 * `completed`: all requests were sent and ended. `stopped`: too many errors. `overdue`: the answers took so long that not all requests
 * could be sent. `interrupted`: by the signal.
 */
export type RunEnd = 'completed' | 'stopped' | 'overdue' | 'interrupted'

export interface RunOutcome {
  end: RunEnd
  tally: Tally
  /** Requests that were begun, also those that did not end. */
  sent: number
  milliseconds: number
  /** At the end. */
  last: Progress
}

/** @throws what the sender throws */
export function runTraffic(run: Run, world: RunWorld): Promise<RunOutcome> {
  return new Sending(run, world).outcome()
}

class Sending {
  readonly #run: Run
  readonly #world: RunWorld
  readonly #tally = new Tally()
  readonly #started: number
  #sent = 0
  #underWay = 0
  #hasEnded = false
  #wake = () => {}
  #finish: (end: RunEnd) => void = () => {}
  #fail: (error: unknown) => void = () => {}

  constructor(run: Run, world: RunWorld) {
    this.#run = run
    this.#world = world
    this.#started = world.timers.now()
  }

  async outcome(): Promise<RunOutcome> {
    const { timers, signal, progress, sender } = this.#world
    const callOffs = [
      timers.after(dueAt(this.#run.requests - 1, this.#run) + PATIENCE, () => this.#finish('overdue')),
      ...(progress === undefined ? [] : [every(REFRESH, timers, () => progress(this.#progress()))]),
    ]
    const interrupt = () => this.#finish('interrupted')
    signal.addEventListener('abort', interrupt)
    try {
      const end = await new Promise<RunEnd>((resolve, reject) => {
        // What ends afterwards is not counted.
        this.#finish = (how) => {
          this.#hasEnded = true
          resolve(how)
        }
        this.#fail = reject
        if (signal.aborted) interrupt()
        else this.#sendDue()
      })
      return { end, tally: this.#tally, sent: this.#sent, milliseconds: this.#elapsed, last: this.#progress() }
    } finally {
      this.#hasEnded = true
      this.#wake()
      signal.removeEventListener('abort', interrupt)
      for (const callOff of callOffs) callOff()
      await sender.close()
    }
  }

  get #elapsed(): number {
    return this.#world.timers.now() - this.#started
  }

  get #hasMore(): boolean {
    return this.#sent < this.#run.requests
  }

  /** Sends all requests that are due, as far as there are connections, and sets a timer for the next one. */
  #sendDue(): void {
    this.#wake()
    while (!this.#hasEnded && this.#hasMore && this.#underWay < this.#run.concurrency) {
      const wait = dueAt(this.#sent, this.#run) - this.#elapsed
      if (wait > 0) {
        this.#wake = this.#world.timers.after(wait, () => this.#sendDue())
        return
      }
      this.#send(this.#sent++)
    }
  }

  #send(index: number): void {
    const { paths } = this.#run
    this.#underWay++
    this.#world.sender.send(paths[index % paths.length] ?? '/').then(
      (sent) => this.#receive(sent, index),
      (error) => this.#fail(error),
    )
  }

  #receive(sent: Sent, index: number): void {
    this.#underWay--
    if (this.#hasEnded) return
    this.#tally.count(sent, this.#elapsed - dueAt(index, this.#run))
    if (this.#tally.recentShare > this.#run.maxErrors) this.#finish('stopped')
    else if (this.#hasMore) this.#sendDue()
    else if (this.#underWay === 0) this.#finish('completed')
  }

  #progress(): Progress {
    const { requests } = this.#run
    const { p50, p99 } = this.#tally.latency() ?? {}
    const elapsed = this.#elapsed
    return {
      done: this.#tally.done,
      requests,
      rate: elapsed === 0 ? 0 : (this.#tally.done * 1_000) / elapsed,
      ...(p50 === undefined || p99 === undefined ? {} : { p50, p99 }),
      refused: this.#tally.failed - this.#tally.unanswered,
      unanswered: this.#tally.unanswered,
      left: Math.max(0, dueAt(requests - 1, this.#run) - elapsed),
    }
  }
}
