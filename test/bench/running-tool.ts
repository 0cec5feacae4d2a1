/** A running forward, and a client that sends requests one by one or in parallel. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../free-port.ts'
import { cpuSeconds, peakMebibytes, resetPeak } from './processes.ts'
import type { Tool } from './tools.ts'

/** Milliseconds. */
const PATIENCE = 15_000
const LONGEST_START = 30_000
const LONGEST_END = 5_000

export class RunningTool {
  readonly port: number
  /** Milliseconds from the start to the first 200. */
  startTime = Number.NaN
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }

  /** @returns when it serves. @throws Error if it does not */
  static async start(tool: Tool, environment: NodeJS.ProcessEnv): Promise<RunningTool> {
    const port = await freePort()
    const [command = '', ...words] = tool.argv(port)
    const started = performance.now()
    const child = spawn(command, words, { env: { ...environment, ...tool.environment }, stdio: 'ignore' })
    const running = new RunningTool(child, port)
    while ((await running.get('/')) !== 200) {
      const waited = performance.now() - started
      if (running.#runs && waited < LONGEST_START) await sleep(2)
      else {
        running.kill()
        throw new Error(`${tool.title} does not serve after ${waited.toFixed(0)} ms; exit code ${child.exitCode}`)
      }
    }
    running.startTime = performance.now() - started
    return running
  }

  /** Sends one request, by default over its own connection. @returns the status; 0 without an answer in time */
  get(path: string, { agent, timeout = PATIENCE }: { agent?: Agent; timeout?: number } = {}): Promise<number> {
    return new Promise((resolve) => {
      const asking = request({ host: '127.0.0.1', port: this.port, path, agent: agent ?? false })
      const late = setTimeout(() => asking.destroy(), timeout)
      const end = (status: number) => {
        clearTimeout(late)
        resolve(status)
      }
      asking.once('response', (response) => {
        response.resume().once('end', () => end(response.statusCode ?? 0))
        response.once('error', () => end(0))
      })
      asking.once('error', () => end(0))
      asking.end()
    })
  }

  /** Sends requests one by one. @returns the milliseconds of the answered ones */
  async time(times: number, path: string, agent?: Agent): Promise<number[]> {
    const taken: number[] = []
    for (let count = 0; count < times; count++) {
      const started = performance.now()
      if ((await this.get(path, agent && { agent })) === 200) taken.push(performance.now() - started)
    }
    return taken
  }

  /** User and system time so far. */
  cpuSeconds(): number {
    return cpuSeconds(this.#process)
  }

  /** Runs a function. @returns the peak of the resident set during it, in MiB */
  async peak(run: () => Promise<unknown>): Promise<number> {
    resetPeak(this.#process)
    await run()
    return peakMebibytes(this.#process)
  }

  /** Sends SIGINT. @returns the milliseconds until the process has ended */
  async interrupt(): Promise<number> {
    if (!this.#runs) return Number.NaN
    const started = performance.now()
    const ended = once(this.#child, 'close')
    this.#child.kill('SIGINT')
    const late = setTimeout(() => this.kill(), LONGEST_END)
    await ended
    clearTimeout(late)
    return performance.now() - started
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  get #runs(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  get #process(): number {
    return this.#child.pid ?? 0
  }
}
