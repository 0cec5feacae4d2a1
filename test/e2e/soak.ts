/** Sends many connections to many pods through one forward, and measures its sockets and memory before and after. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, fetch } from 'undici'
import { type Footprint, footprint } from './footprint.ts'
import { ask, type RunningForward } from './forwarding.ts'
import type { Workplace } from './mesh.ts'

export interface SoakResult {
  before: Footprint
  /** At half-time, when Node has reached its usual memory. */
  half: Footprint
  after: Footprint
  served: number
  failed: string[]
  /** Pods that the forward was connected to. */
  pods: number
}

/** Milliseconds within which tunnels to former pods have to be closed. */
const SETTLING = 30_000
const AT_ONCE = 10

/**
 * @param namespace of a Deployment `wire` of wire-server.ts
 * @param connections of all kinds: short answers, long ones, clients that disconnect in the middle
 */
export async function soak(
  workplace: Workplace,
  forwarding: RunningForward,
  { namespace, connections, restarts }: { namespace: string; connections: number; restarts: number },
): Promise<SoakResult> {
  const url = forwarding.url('wire')
  const failed: string[] = []
  let served = 0
  const one = async (number: number) => {
    if (number % 10 === 9) return disconnect(url)
    const { status, error, body } = await ask(number % 10 === 5 ? `${url}bytes?n=1000000` : url)
    if (status === 200) served++
    else failed.push(error ?? body)
  }
  const some = async (from: number, to: number) => {
    let next = from
    const worker = async () => {
      while (next < to) await one(next++)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
  }
  // Warm up first: modules that are loaded on first use are no leak.
  await some(0, 200)
  await sleep(1_000)
  const before = footprint(forwarding.child.pid ?? 0)
  served = 0
  let half = before
  const share = connections / (restarts + 1)
  for (let restart = 0; restart <= restarts; restart++) {
    if (restart > 0) workplace.kubectl('-n', namespace, 'delete', 'pod', '--all', '--wait=false')
    await some(Math.round(restart * share), Math.round((restart + 1) * share))
    if (restart === Math.floor(restarts / 2)) half = footprint(forwarding.child.pid ?? 0)
  }
  const ended = performance.now()
  let after = footprint(forwarding.child.pid ?? 0)
  for (; after.sockets > before.sockets && performance.now() - ended < SETTLING; await sleep(100))
    after = footprint(forwarding.child.pid ?? 0)
  const pods = new Set(forwarding.events.flatMap(({ pod = [] }) => pod)).size
  return { before, half, after, served, failed, pods }
}

/** Closes the connection in the middle of an answer. */
async function disconnect(url: string): Promise<void> {
  const dispatcher = new Agent()
  const response = await fetch(`${url}bytes?n=3000000`, { dispatcher }).catch(() => undefined)
  await response?.body?.getReader().read()
  await dispatcher.destroy()
}
