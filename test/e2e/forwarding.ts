/** `kubectl telemetry port-forward` as it runs: what it says, and how it ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ForwardEvent } from '../../src/forwarding/local-forward.ts'
import type { Workplace } from './mesh.ts'

export class Forwarding {
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

  /** @returns once every add-on has a pod */
  static async start(workplace: Workplace, ...words: string[]): Promise<Forwarding> {
    const forwarding = new Forwarding(workplace, words)
    await forwarding.until(({ events }) => {
      const listening = events.filter(({ event }) => event === 'listening').map(({ addon }) => addon)
      return (
        listening.length > 0 &&
        listening.every((addon) => events.some((one) => one.event === 'connected' && one.addon === addon))
      )
    }, 'it did not connect')
    return forwarding
  }

  url(addon: string): string {
    return this.events.find((one) => one.addon === addon && one.event === 'listening')?.url ?? ''
  }

  /** @param seconds before it fails with what was said so far */
  async until(happened: (forwarding: Forwarding) => boolean, otherwise: string, seconds = 30): Promise<void> {
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

export interface Asked {
  /** 0 when there was no answer. */
  status: number
  error?: string
  milliseconds: number
  /** When it was sent, on the clock of `performance.now()`. */
  sent: number
  body: string
}

/** One request over a connection of its own; never throws. */
export function ask(url: string, headers: Record<string, string> = {}): Promise<Asked> {
  const started = performance.now()
  const took = () => ({ sent: started, milliseconds: performance.now() - started })
  return new Promise((resolve) => {
    const asking = request(url, { agent: new Agent({ keepAlive: false }), headers, timeout: 15_000 })
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
    asking.end()
  })
}

/** @returns milliseconds from then to the first answer 200 */
export function firstServed(asked: Asked[], then: number): number {
  const answers = asked
    .filter(({ status }) => status === 200)
    .map(({ sent, milliseconds }) => sent + milliseconds - then)
  return Math.min(...answers.filter((after) => after > 0))
}

/** Those that were sent at that time or later and not answered 200. */
export function unserved(asked: Asked[], since = 0): Asked[] {
  return asked.filter(({ sent, status }) => sent >= since && status !== 200)
}

/** Asks ten times a second, each over a connection of its own, until it is told to stop. */
export class Asking {
  readonly #asked: Promise<Asked>[] = []
  #on = true
  readonly #ended: Promise<void>

  constructor(url: string) {
    this.#ended = (async () => {
      for (; this.#on; await sleep(100)) this.#asked.push(ask(url))
    })()
  }

  async stop(): Promise<Asked[]> {
    this.#on = false
    await this.#ended
    return Promise.all(this.#asked)
  }
}
