/** `npm run bench -- soak`: a day of `port-forward` in some minutes: 5,000 connections, 100 pods, and the sockets and memory after them. */
import { RunningForward } from '../e2e/forwarding.ts'
import { Workplace } from '../e2e/mesh.ts'
import { soak } from '../e2e/soak.ts'
import { WIRE_HTTP, wireServer } from '../e2e/wire-server.ts'

const NAMESPACE = 'wire-soak'
const CONNECTIONS = 5_000
const RESTARTS = 100

export const sections: readonly string[] = []
export const tools: readonly string[] = []

/** @returns whether only requests failed that a killed pod was answering */
export async function run(): Promise<boolean> {
  const workplace = new Workplace()
  try {
    workplace.apply(...wireServer(NAMESPACE))
    workplace.kubectl('-n', NAMESPACE, 'rollout', 'status', 'deployment/wire', '--timeout=60s')
    const forwarding = await RunningForward.start(workplace, `svc/wire:${WIRE_HTTP}`, '-n', NAMESPACE, '-p', '3470')
    const started = performance.now()
    const { before, half, after, served, failed, pods } = await soak(workplace, forwarding, {
      namespace: NAMESPACE,
      connections: CONNECTIONS,
      restarts: RESTARTS,
    })
    const seconds = Math.round((performance.now() - started) / 1_000)
    console.log(`${CONNECTIONS} connections, ${RESTARTS} restarts, ${pods} pods seen, ${seconds} s`)
    console.log(`served ${served}, failed ${failed.length} ${[...new Set(failed)].join('; ')}`)
    for (const [when, { rss, peak, descriptors, sockets }] of Object.entries({ before, half, after }))
      console.log(
        `${when.padEnd(6)}  ${rss.toFixed(0)} MiB (peak ${peak.toFixed(0)}), ${descriptors} descriptors, ${sockets} sockets`,
      )
    await forwarding.interrupt()
    return failed.every((why) => /ECONNRESET|aborted/.test(why))
  } finally {
    workplace.kubectl('delete', 'namespace', NAMESPACE, '--wait=false')
    workplace.end()
  }
}
