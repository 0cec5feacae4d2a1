/** How far the percentiles of `traffic` are from the times that a server on loopback took, as it measured them itself. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSender } from '../../src/probing/web-sender.ts'
import { runTraffic } from '../../src/traffic/run.ts'
import type { Figures } from './section.ts'
import { quantile } from './statistics.ts'

const TIMERS = {
  now: () => performance.now(),
  after: (milliseconds: number, act: () => void) => {
    const timer = setTimeout(act, milliseconds)
    return () => clearTimeout(timer)
  },
}

/** Most answers take 20 ms, and every 25th takes 80. */
export async function knownLatencies(): Promise<Figures> {
  const taken: number[] = []
  const server = createServer(async ({ url }, response) => {
    const started = performance.now()
    await sleep(Number(url?.slice(1)))
    response.end('page')
    taken.push(performance.now() - started)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    const sender = new WebSender({
      ...{ host: 'localhost', address: '127.0.0.1', port, secure: false, method: 'GET' },
      ...{ userAgent: 'bench', connections: 8, trust: { certificates: [], publicToo: true } },
    })
    const paths = Array.from({ length: 50 }, (_, at) => (at % 25 === 7 ? '/80' : '/20'))
    const run = { requests: 200, rate: 100, concurrency: 8, paths, maxErrors: 0 }
    const { tally } = await runTraffic(run, { sender, timers: TIMERS, signal: new AbortController().signal })
    const { p50 = Number.NaN, p99 = Number.NaN } = tally.latency() ?? {}
    return {
      'known latencies: p50 off by, ms': Math.abs(p50 - quantile(taken, 0.5)),
      'known latencies: p99 off by, ms': Math.abs(p99 - quantile(taken, 0.99)),
    }
  } finally {
    server.close()
  }
}
