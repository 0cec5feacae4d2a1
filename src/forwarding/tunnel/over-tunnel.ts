/** One connection to a port of a pod, for a single request. */
import type { Cluster } from '../../cluster/cluster.ts'
import { unlessRefused } from '../../cluster/reading.ts'
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
 * @returns undefined without the permission to forward ports, or if the pod is gone
 */
export async function overTunnel<T>(
  { pod: { namespace, name }, port }: Pick<InsideRequest, 'pod' | 'port'>,
  { cluster, timers }: TunnelWorld,
  ask: (socket: StreamDuplex) => Promise<T>,
): Promise<T | undefined> {
  const upgraded = await unlessRefused(cluster.portForward({ namespace, name }))
  if (upgraded === undefined) return undefined
  const session = new Session(upgraded, port, timers, () => {})
  try {
    return await ask(new StreamDuplex(session))
  } finally {
    session.destroy()
  }
}
