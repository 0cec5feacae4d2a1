/** Waits until all pods of a workload have its present template and are ready. */
import type { Cluster, Resource } from '../cluster/cluster.ts'
import { labelSelector, type Pod } from '../cluster/objects.ts'
import { PODS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { sh } from '../shell.ts'
import { shown } from '../text.ts'
import { until, type Wait } from '../time/until.ts'
import type { Dependencies } from '../world.ts'
import { RefusalWatch } from './refusal.ts'
import { complaintOf, crashOf, creationRefused, type Rollout, rolloutOf } from './rollout.ts'
import { workloadNames } from './workload-names.ts'
import type { WorkloadObject } from './workload-object.ts'

type Needs = Pick<Dependencies, 'cluster' | 'clock'>

/** Milliseconds between two looks: `kubectl rollout status` watches; this is one small read for one object. */
const PAUSE = 500

export interface RolloutWait {
  /** Milliseconds until the next pod has to be ready: a workload of a hundred pods takes longer, but must make progress. */
  timeout: number
  /** Milliseconds between two looks; half a second when left out. */
  pause?: number
  /** Called at each look. */
  progress?: ((rollout: Rollout) => void) | undefined
}

/**
 * Returns at once if the workload is deleted. Pods that are refused end the wait within seconds.
 * @throws UserError ROLLOUT_FAILED with the reason from the workload, its pods and events
 */
export async function awaitRollout(
  resource: Resource,
  workload: WorkloadObject,
  { timeout, progress, pause = PAUSE }: RolloutWait,
  { cluster, clock }: Needs,
): Promise<void> {
  const { name, namespace = '' } = workload.metadata
  const refusals = new RefusalWatch(cluster, clock)
  const wait: Wait<Look> = {
    look: async () => {
      const object = await cluster.get<WorkloadObject>(resource, { name, namespace })
      const isOpen = object !== undefined && !rolloutOf(object).done
      return { object, refused: isOpen ? await refusals.look({ ...object, kind: resource.kind }) : undefined }
    },
    isDone: ({ object, refused }) => object === undefined || refused !== undefined || rolloutOf(object).done,
    pause,
    timeout,
    reached: ({ object }) => (object === undefined ? 0 : newPods(rolloutOf(object))),
    progress: ({ object }) => object && progress?.(rolloutOf(object)),
    giveUp: async ({ object }) => {
      const why = object && (refusals.why ?? (await reasonOf(object, cluster)))
      return failed({ resource, object: workload }, `within ${timeout / 1000} s: ${why}`)
    },
  }
  const { refused } = await until(wait, clock)
  if (refused !== undefined)
    throw failed({ resource, object: workload }, `because its new pods are refused: ${refused}`)
}

interface Look {
  object: WorkloadObject | undefined
  refused: string | undefined
}

function failed(workload: { resource: Resource; object: WorkloadObject }, why: string): UserError {
  const { argument, phrase } = workloadNames(workload)
  const { namespace } = workload.object.metadata
  return new UserError('ROLLOUT_FAILED', `${phrase} did not become ready ${why}`, {
    suggestions: [
      sh`kubectl -n ${namespace} rollout status ${argument}`,
      sh`kubectl -n ${namespace} rollout undo ${argument}   # returns to the previous pod template`,
    ],
  })
}

function newPods({ updated, ready }: Rollout): number {
  return updated + ready
}

async function reasonOf(object: WorkloadObject, cluster: Cluster): Promise<string> {
  const { updated, ready, wanted } = rolloutOf(object)
  const labels = labelSelector(object.spec.selector?.matchLabels ?? {})
  const { namespace = '' } = object.metadata
  const pods = newestFirst(await cluster.list<Pod>(PODS, { namespace, labels }).catch(() => []))
  const complaint = complaintOf(pods)
  if (complaint === undefined) return creationRefused(object) ?? `${updated} of ${wanted} pods replaced, ${ready} ready`
  return `${complaint}${await lastWords(pods, cluster)}`
}

/** The last line of the container that has crashed: only that says why. */
async function lastWords(pods: Pod[], cluster: Cluster): Promise<string> {
  const crash = crashOf(pods)
  if (crash === undefined) return ''
  const { pod, container, previous } = crash
  const { name, namespace = '' } = pod.metadata
  const read = cluster.readLog({ name, namespace }, { container, previous, lines: 1 })
  const line = (await read.catch(() => '')).trim()
  return line === '' ? '' : `; the last line of its log: ${shown(line)}`
}

/** The newest pods first: the old ones may be fine. */
function newestFirst(pods: Pod[]): Pod[] {
  const time = ({ metadata }: Pod) => String(metadata.creationTimestamp ?? '')
  return pods.toSorted((one, other) => time(other).localeCompare(time(one)))
}
