/** Waits until a deleted object is gone: a namespace until its pods have ended, any other until no finalizer holds it. */
import type { FoundObject } from '../changes/undo.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { readable } from '../cluster/reading.ts'
import type { Clock } from '../time/clock.ts'
import { until } from '../time/until.ts'

const PAUSE = 500
/** Milliseconds. Pods have 30 s to end. */
const PATIENCE = 60_000

/** @returns whether it is gone */
export async function isGone({ resource, object }: FoundObject, cluster: Cluster, clock: Clock): Promise<boolean> {
  const { uid } = object.metadata
  const look = async () => (await readable(cluster.get(resource, object.metadata)))?.metadata.uid !== uid
  return until({ look, isDone: (gone) => gone, pause: PAUSE, timeout: PATIENCE }, clock)
}
