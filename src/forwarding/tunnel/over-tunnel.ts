/** One connection to a port of a pod, for a single request. */
import type { Cluster } from '../../cluster/cluster.ts'
import { unlessRefused } from '../../cluster/reading.ts'
import { hasCode } from '../../errors.ts'
import type { Timers } from '../../time/timers.ts'
import type { InsideRequest } from '../../world.ts'
import { Session } from './session.ts'
import { StreamDuplex } from './stream-duplex.ts'

export interface TunnelWorld {
  cluster: Cluster
  timers: Timers
}

/**
 * Opens the connection, and closes it when the answer is there.
 * @returns undefined without the permission to forward ports, or if the pod is gone. What keeps this one pod from being reached, as that its
 * node is down or that it is just being replaced, is its answer: others can still be asked.
 */
export async function overTunnel<T>(
  { pod: { namespace, name }, port }: Pick<InsideRequest, 'pod' | 'port'>,
  { cluster, timers }: TunnelWorld,
  ask: (socket: StreamDuplex) => Promise<T>,
): Promise<T | { failed: string } | undefined> {
  const upgraded = await unlessRefused(cluster.portForward({ namespace, name })).catch(faultOfPod)
  if (upgraded === undefined || 'failed' in upgraded) return upgraded
  const session = new Session(upgraded, port, timers, () => {})
  try {
    return await ask(new StreamDuplex(session))
  } finally {
    session.destroy()
  }
}

/** @throws all other errors */
function faultOfPod(error: unknown): { failed: string } {
  if (hasCode(error, 'REJECTED', 'SERVER_FAILED')) return { failed: error.message }
  throw error
}
