/** Waits until the pods of a workload have followed its template. */
import { type Cluster, kindName, type Resource } from '../cluster/cluster.ts'
import type { Pod } from '../cluster/objects.ts'
import { PODS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { WorkloadObject } from '../scraping/workload.ts'
import type { Dependencies } from '../world.ts'
import { complaintOf, type Rollout, rolloutOf } from './rollout.ts'

type Needs = Pick<Dependencies, 'cluster' | 'clock'>

/** Milliseconds between two looks: `kubectl rollout status` watches; this is one small read for one object. */
const PAUSE = 500

/**
 * @param timeout milliseconds in which the next pod has to come: a workload of a hundred takes longer, but never stands still
 * @param watching told at each look how far it is
 * @throws UserError ROLLOUT_FAILED with the reason that the pods give
 */
export async function awaitRollout(
  resource: Resource,
  { metadata: { name, namespace = '' } }: WorkloadObject,
  timeout: number,
  { cluster, clock }: Needs,
  watching?: (rollout: Rollout) => void,
): Promise<void> {
  let end = clock.now().getTime() + timeout
  let furthest = -1
  for (;;) {
    const object = await cluster.get<WorkloadObject>(resource, { name, namespace })
    // Somebody has deleted it meanwhile: nothing of it is left to wait for.
    if (object === undefined) return
    const rollout = rolloutOf(object)
    watching?.(rollout)
    if (rollout.done) return
    if (rollout.updated + rollout.ready > furthest) {
      furthest = rollout.updated + rollout.ready
      end = clock.now().getTime() + timeout
    }
    if (clock.now().getTime() >= end) throw await failure(resource, object, rollout, timeout, cluster)
    await clock.sleep(PAUSE)
  }
}

async function failure(
  resource: Resource,
  object: WorkloadObject,
  { updated, ready, wanted }: Rollout,
  timeout: number,
  cluster: Cluster,
): Promise<UserError> {
  const { name, namespace = '' } = object.metadata
  const labels = Object.entries(object.spec.selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`)
  const pods = await cluster.list<Pod>(PODS, { namespace, labels: labels.join() }).catch(() => [])
  const why = complaintOf(newestFirst(pods)) ?? `${updated} of ${wanted} pods replaced, ${ready} ready`
  const what = `${kindName({ kind: resource.kind, group: '' })}/${name}`
  return new UserError(
    'ROLLOUT_FAILED',
    `${what} in namespace ${namespace} did not come back in ${timeout / 1000} s: ${why}`,
    {
      suggestions: [
        `kubectl -n ${namespace} rollout status ${what}`,
        `kubectl -n ${namespace} rollout undo ${what}   # its pods as they were before`,
      ],
    },
  )
}

/** The old ones may well be fine. */
function newestFirst(pods: Pod[]): Pod[] {
  const time = ({ metadata }: Pod) => String(metadata.creationTimestamp ?? '')
  return pods.toSorted((one, other) => time(other).localeCompare(time(one)))
}
