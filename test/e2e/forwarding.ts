/** Runs `kubectl telemetry port-forward` and records its events and its end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ForwardEvent } from '../../src/forwarding/event-reporter.ts'
import type { Workplace } from './mesh.ts'

export class RunningForward {
  readonly events: ForwardEvent[] = []
  readonly child: ChildProcess
  stderr = ''

  private constructor(workplace: Workplace, words: string[]) {
    this.child = spawn('kubectl-telemetry', ['port-forward', ...words, '-o', 'json'], {
      env: workplace.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const { stdout, stderr } = this.child
    if (stdout === null || stderr === null) throw new Error('no pipes')
    createInterface({ input: stdout }).on('line', (line) => this.events.push(JSON.parse(line) as ForwardEvent))
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
  }

  /** @returns once an add-on has a pod, and so has every other that listens */
  static async start(workplace: Workplace, ...words: string[]): Promise<RunningForward> {
    const forwarding = new RunningForward(workplace, words)
    await forwarding.untilConnected(1)
    return forwarding
  }

  /** Add-ons start independently, so the first may be connected before the next one listens. @param count of add-ons */
  async untilConnected(count: number): Promise<void> {
    await this.until(({ events }) => {
      const listening = events.filter(({ event }) => event === 'listening').map(({ addon }) => addon)
      return (
        listening.length >= count &&
        listening.every((addon) => events.some((one) => one.event === 'connected' && one.addon === addon))
      )
    }, 'it did not connect')
  }

  url(addon: string): string {
    return this.events.find((one) => one.addon === addon && one.event === 'listening')?.url ?? ''
  }

  /** @param seconds until it fails with the events so far */
  async until(happened: (forwarding: RunningForward) => boolean, otherwise: string, seconds = 30): Promise<void> {
    for (let waited = 0; !happened(this); waited += 10) {
      if (waited > seconds * 1000 || this.child.exitCode !== null) {
        this.child.kill('SIGKILL')
        throw new Error(
          `${otherwise}: exit code ${this.child.exitCode}\n${JSON.stringify(this.events)}\n${this.stderr}`,
        )
      }
      await sleep(10)
    }
  }

  /** Ctrl-C. @returns the exit code, and how long it took in milliseconds */
  async interrupt(): Promise<{ exitCode: number | null; milliseconds: number }> {
    const started = performance.now()
    const ended = once(this.child, 'close')
    this.child.kill('SIGINT')
    await ended
    return { exitCode: this.child.exitCode, milliseconds: performance.now() - started }
  }
}

export interface SentRequest {
  /** 0 when there was no answer. */
  status: number
  error?: string
  milliseconds: number
  /** When it was sent, on the clock of `performance.now()`. */
  sent: number
  body: string
}

/** One request over a new connection; never throws. @param form the body of a POST; without it, it is a GET */
export function ask(url: string, headers: Record<string, string> = {}, form?: string): Promise<SentRequest> {
  const started = performance.now()
  const took = () => ({ sent: started, milliseconds: performance.now() - started })
  return new Promise((resolve) => {
    const method = form === undefined ? 'GET' : 'POST'
    const sent = form === undefined ? headers : { 'content-type': 'application/x-www-form-urlencoded', ...headers }
    const asking = request(url, { agent: new Agent({ keepAlive: false }), method, headers: sent, timeout: 15_000 })
    asking.once('response', (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.once('error', (error) => resolve({ status: 0, error: error.message, ...took(), body }))
      response.once('end', () => resolve({ status: response.statusCode ?? 0, ...took(), body }))
    })
    asking.once('timeout', () => asking.destroy(new Error('timed out')))
    asking.once('error', (error) => resolve({ status: 0, error: error.message, ...took(), body: '' }))
    asking.end(form)
  })
}

/** @returns milliseconds from then to the first answer 200 */
export function firstServed(asked: SentRequest[], then: number): number {
  const answers = asked
    .filter(({ status }) => status === 200)
    .map(({ sent, milliseconds }) => sent + milliseconds - then)
  return Math.min(...answers.filter((after) => after > 0))
}

/** Requests that were sent at that time or later and not answered with 200. */
export function unserved(asked: SentRequest[], since = 0): SentRequest[] {
  return asked.filter(({ sent, status }) => sent >= since && status !== 200)
}

/** Sends ten requests a second, each over its own connection, until `stop`. */
export class RequestLoop {
  readonly #asked: Promise<SentRequest>[] = []
  #on = true
  readonly #ended: Promise<void>

  constructor(url: string) {
    this.#ended = (async () => {
      for (; this.#on; await sleep(100)) this.#asked.push(ask(url))
    })()
  }

  async stop(): Promise<SentRequest[]> {
    this.#on = false
    await this.#ended
    return Promise.all(this.#asked)
  }
}
