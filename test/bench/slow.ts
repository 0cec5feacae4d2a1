/** Measures fast clients while another client or a server reads slowly. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunningTool } from './running-tool.ts'
import type { Figures, Section } from './section.ts'
import { median, quantile } from './statistics.ts'
import { MEBIBYTE, Sending, SlowReading } from './transfers.ts'

/** Milliseconds, each way. */
const DURATION = 8_000
/** Milliseconds until all buffers on the way are full. */
const FILLING = 2_000
const TIMEOUT = 2_000
/** Longest time for a tool that does not answer, in milliseconds. */
const TIMEOUTS = 3
const OTHERS = 200

export const slow: Section = {
  name: 'slow',
  measure: async (open) => ({ ...(await slowReader(await open())), ...(await slowServer(await open())) }),
}

async function slowReader(tool: RunningTool): Promise<Figures> {
  let others: Figures = {}
  let read = 0
  const peak = await tool.peak(async () => {
    const reading = new SlowReading(tool.port, MEBIBYTE)
    others = await beside(tool, 'a slow reader')
    read = reading.read / MEBIBYTE
    reading.stop()
  })
  await tool.interrupt()
  return { ...others, 'slow reader: peak RSS, MiB': peak, 'slow reader: MiB read': read }
}

async function slowServer(tool: RunningTool): Promise<Figures> {
  let others: Figures = {}
  let taken = 0
  const peak = await tool.peak(async () => {
    const path = `/upload?sum=no&rate=${MEBIBYTE}&ms=${2 * DURATION}`
    const sending = new Sending(tool.port, path, 1 << 30)
    others = await beside(tool, 'a slow upload')
    taken = sending.taken / MEBIBYTE
    sending.stop()
  })
  await tool.interrupt()
  return { ...others, 'slow upload: peak RSS, MiB': peak, 'slow upload: MiB taken from the client': taken }
}

/** Sends requests over separate connections until the time is over. */
async function beside(tool: RunningTool, whom: string): Promise<Figures> {
  const started = performance.now()
  await sleep(FILLING)
  const taken: number[] = []
  let timeouts = 0
  for (let asked = 0; asked < OTHERS && timeouts < TIMEOUTS; asked++) {
    const asking = performance.now()
    if ((await tool.get('/', { timeout: TIMEOUT })) === 200) taken.push(performance.now() - asking)
    else timeouts++
    await sleep(10)
  }
  await sleep(Math.max(0, started + DURATION - performance.now()))
  return {
    [`beside ${whom}: timeouts of 2 s`]: timeouts,
    [`beside ${whom}: p50, ms`]: median(taken),
    [`beside ${whom}: p99, ms`]: quantile(taken, 0.99),
  }
}
