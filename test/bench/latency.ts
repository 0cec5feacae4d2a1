/** Measures the start, requests over a kept connection, over new ones and over 200 at once, and the end. */
import { Agent } from 'node:http'
import type { Section } from './section.ts'
import { median, quantile } from './statistics.ts'

const AT_ONCE = 200

export const start: Section = {
  name: 'start',
  measure: async (open) => {
    const tool = await open()
    return { 'start to first 200, ms': tool.startTime, 'Ctrl-C to end, ms': await tool.interrupt() }
  },
}

/** @param requests number of requests of each kind in a round */
export function latency(requests: number): Section {
  return {
    name: 'latency',
    measure: async (open) => {
      const tool = await open()
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      const kept = await tool.time(requests, '/', agent)
      agent.destroy()
      const before = tool.cpuSeconds()
      const fresh = await tool.time(requests, '/')
      return {
        'keep-alive p50, ms': median(kept),
        'keep-alive p99, ms': quantile(kept, 0.99),
        'new connection p50, ms': median(fresh),
        'new connection p99, ms': quantile(fresh, 0.99),
        'CPU of a new connection, ms': ((tool.cpuSeconds() - before) / requests) * 1000,
      }
    },
  }
}

export const atOnce: Section = {
  name: 'at-once',
  measure: async (open) => {
    const tool = await open()
    let served = 0
    let taken = 0
    const peak = await tool.peak(async () => {
      const started = performance.now()
      const statuses = await Promise.all(Array.from({ length: AT_ONCE }, () => tool.get('/')))
      taken = performance.now() - started
      served = statuses.filter((status) => status === 200).length
    })
    return {
      [`${AT_ONCE} at once: served`]: served,
      [`${AT_ONCE} at once, ms`]: taken,
      [`${AT_ONCE} at once: peak RSS, MiB`]: peak,
    }
  },
}
