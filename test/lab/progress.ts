import { setTimeout as sleep } from 'node:timers/promises'
import { isSecondCluster, labNumber } from './layout.ts'

/** Says on stderr what is being done and, after it, how long it took. A start line only for what takes long. */
export async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const started = Date.now()
  const announce = setTimeout(() => say(`${title} …`), 3000)
  try {
    const result = await work()
    say(`${title} … ${duration(Date.now() - started)}`)
    return result
  } finally {
    clearTimeout(announce)
  }
}

/** With the lab's number, except for lab 1: two labs, and the two clusters of one, may come up in one terminal. */
export function say(line: string): void {
  process.stderr.write(`${prefix()}${line}\n`)
}

function prefix(): string {
  const lab = isSecondCluster ? labNumber - 10 : labNumber
  const words = [...(lab === 1 ? [] : [`lab ${lab}`]), ...(isSecondCluster ? ['cluster 2'] : [])]
  return words.length === 0 ? '' : `${words.join(', ')}: `
}

/** `0.4s`, `12s`, `4m02s`. */
export function duration(milliseconds: number): string {
  if (milliseconds < 10_000) return `${(milliseconds / 1000).toFixed(1)}s`
  const seconds = Math.round(milliseconds / 1000)
  if (seconds < 60) return `${seconds}s`
  return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`
}

/** Polls until the probe succeeds; the last failure is the reason given when time is up. */
export async function until(what: string, probe: () => Promise<unknown>, seconds = 60): Promise<void> {
  const deadline = Date.now() + seconds * 1000
  for (;;) {
    try {
      await probe()
      return
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`timed out after ${seconds}s: ${what}`, { cause: error })
    }
    await sleep(100)
  }
}

/** Like Promise.all over work, but only so many at once. The first failure is thrown after those begun have ended. */
export async function atMost<T>(limit: number, items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  const failed = (await Promise.allSettled(Array.from({ length: limit }, worker))).find(
    (end) => end.status === 'rejected',
  )
  if (failed) throw failed.reason
}
