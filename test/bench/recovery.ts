/** Measures the recovery after the pod is deleted, with fifty requests a second. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunningTool } from './running-tool.ts'
import type { Section } from './section.ts'
import type { Server } from './server.ts'

const REQUESTS = 400
/** Milliseconds. */
const INTERVAL = 20
const DELETED_AFTER = 500

export function recovery(server: Server): Section {
  return {
    name: 'recovery',
    measure: async (open) => {
      const tool = await open()
      const replaced = sleep(DELETED_AFTER).then(() => server.replacePod())
      const answers = await askAll(tool)
      const ready = await replaced
      await server.ready()
      const served = answers.filter(({ status }) => status === 200)
      const after = served.map(({ at }) => at).filter((at) => at >= ready)
      return {
        [`pod deleted: failed of ${REQUESTS}`]: answers.length - served.length,
        'pod deleted: Ready to first success, ms': after.length === 0 ? Number.NaN : Math.min(...after) - ready,
      }
    },
  }
}

async function askAll(tool: RunningTool): Promise<{ status: number; at: number }[]> {
  const asked: Promise<{ status: number; at: number }>[] = []
  const started = performance.now()
  for (let count = 0; count < REQUESTS; count++) {
    asked.push(tool.get('/').then((status) => ({ status, at: performance.now() })))
    await sleep(Math.max(0, started + (count + 1) * INTERVAL - performance.now()))
  }
  return Promise.all(asked)
}
