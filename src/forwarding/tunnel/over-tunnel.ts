/** One connection to a port of a pod, for a single request. */
import type { Cluster, ObjectName, PodAnswer } from '../../cluster/cluster.ts'
import { unlessRefused } from '../../cluster/reading.ts'
import type { Timers } from '../../time/timers.ts'
import { Session } from './session.ts'
import { StreamDuplex } from './stream-duplex.ts'

export interface PodRequest {
  pod: Required<ObjectName>
  port: number
  path: string
  /** Milliseconds to wait for an answer. */
  timeout: number
}

export interface TunnelWorld {
  cluster: Cluster
  timers: Timers
}

/**
 * Opens the connection, and closes it when the answer is there.
 * @returns undefined without the permission to forward ports, or if the pod is gone
 */
export async function overTunnel(
  { pod: { namespace, name }, port }: PodRequest,
  { cluster, timers }: TunnelWorld,
  ask: (socket: StreamDuplex) => Promise<PodAnswer>,
): Promise<PodAnswer | undefined> {
  const upgraded = await unlessRefused(cluster.portForward({ namespace, name }))
  if (upgraded === undefined) return undefined
  const session = new Session(upgraded, port, timers, () => {})
  try {
    return await ask(new StreamDuplex(session))
  } finally {
    session.destroy()
  }
}
