/** Runs all cases of a sample. Memory and time of each are bounded. */
import { Worker } from 'node:worker_threads'
import type { Sample } from './selection.ts'

export interface FuzzResult {
  cases: number
  /** One line each: operation, object, field, value, fault. */
  faults: string[]
}

/** Milliseconds of CPU for one case, and for the scenes before the first: the machine may be busy with something else. */
const PATIENCE = 20_000
const START = 60_000
const MEMORY = { maxOldGenerationSizeMb: 1_024 }

type Message = { index?: number; of?: number; name?: string; faults?: string[]; end?: boolean }

export async function fuzz(sample: Sample, tell = (_: string) => {}): Promise<FuzzResult> {
  const result: FuzzResult = { cases: 0, faults: [] }
  const add = (line: string) => {
    result.faults.push(line)
    tell(line)
  }
  for (let from = 0; from >= 0; ) from = await runFrom(from, sample, result, add)
  return result
}

/** @returns the case to continue with; -1 at the end */
function runFrom(from: number, sample: Sample, result: FuzzResult, add: (line: string) => void): Promise<number> {
  return new Promise((resolve) => {
    let [at, name] = [from - 1, 'the scenes']
    const worker = new Worker(new URL('worker.ts', import.meta.url), {
      workerData: { sample, from },
      resourceLimits: MEMORY,
    })
    const stop = (next: number) => {
      clearInterval(watch)
      void worker.terminate()
      resolve(next)
    }
    const give = (why: string) => {
      add(`${name}: ${why}`)
      stop(at < 0 ? -1 : at + 1)
    }
    let [begun, patience] = [process.cpuUsage(), START]
    const watch = setInterval(() => {
      const { user, system } = process.cpuUsage(begun)
      if ((user + system) / 1000 > patience) give(`no end after ${patience / 1000} s`)
    }, 1_000)
    worker.on('message', (message: Message) => {
      if (message.of !== undefined) result.cases = message.of
      if (message.end) return stop(-1)
      for (const fault of message.faults ?? []) add(`${message.name}: ${fault}`)
      if (message.index === undefined) return
      ;[at, name] = [message.index, message.name ?? '']
      ;[begun, patience] = [process.cpuUsage(), PATIENCE]
    })
    worker.on('error', (error: NodeJS.ErrnoException) =>
      give(`ends the process: ${error.code ?? ''} ${error.message.slice(0, 200)}`),
    )
  })
}
