/** Keeps a route's pods as the cluster has them, for as long as it runs: watched, not polled. */
import type { Cluster } from '../cluster/cluster.ts'
import type { EndpointSlice } from '../cluster/objects.ts'
import { ENDPOINT_SLICES } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { PodRoute } from '../forwarding/pod-route.ts'
import { readyTargets } from '../forwarding/ready-targets.ts'
import { pause, type Timers } from '../forwarding/timers.ts'

export interface Followed {
  namespace: string
  service: string
  /** Name of the Service's port; '' for the only one. */
  portName: string
}

interface Following {
  cluster: Cluster
  timers: Timers
  signal: AbortSignal
  /** 0 to 1, for jitter: many clients must not come back at the same moment. */
  chance(): number
  /** The watch broke, for this reason. */
  lost(reason: string): void
}

/** Without any endpoint a watch says nothing; after this long it is taken for that. */
const SILENCE = 400
const SHORTEST_PAUSE = 200
const LONGEST_PAUSE = 5_000

/** @throws UserError when the first try is refused: what is not allowed will not be in a second */
export async function followEndpoints(followed: Followed, route: PodRoute, following: Following): Promise<void> {
  const { timers, signal, chance, lost } = following
  let failures = 0
  for (let first = true; !signal.aborted; first = false) {
    const started = timers.now()
    try {
      await watchOnce(followed, route, following)
    } catch (error) {
      if (signal.aborted) return
      if (first && error instanceof UserError && error.code !== 'CLUSTER_UNREACHABLE') throw error
      lost((error as Error).message)
    }
    failures = timers.now() - started > LONGEST_PAUSE ? 0 : failures + 1
    const longest = Math.min(SHORTEST_PAUSE * 2 ** failures, LONGEST_PAUSE)
    if (!signal.aborted) await pause(timers, longest * (0.5 + chance() / 2))
  }
}

async function watchOnce(followed: Followed, route: PodRoute, { cluster, timers, signal }: Following): Promise<void> {
  const { namespace, service, portName } = followed
  const slices = new Map<string, EndpointSlice>()
  const update = () => route.update(readyTargets(slices.values(), portName))
  const callOff = timers.after(SILENCE, update)
  try {
    const labels = `kubernetes.io/service-name=${service}`
    for await (const { type, object } of cluster.watch<EndpointSlice>(ENDPOINT_SLICES, { namespace, labels, signal })) {
      callOff()
      if (type === 'DELETED') slices.delete(object.metadata.name)
      else slices.set(object.metadata.name, object)
      update()
    }
  } finally {
    callOff()
  }
}
