/** Changes workloads one after the other, and waits for each: the first that does not come back is the last that was touched. */
import { applyChanges } from '../changes/changes.ts'
import { persistently } from '../changes/object-edits.ts'
import type { Progress } from '../changes/progress.ts'
import { kindName } from '../cluster/cluster.ts'
import { awaitRollout } from '../workloads/await-rollout.ts'
import { type Rollout, rolloutOf } from '../workloads/rollout.ts'
import type { Dependencies } from '../world.ts'
import { type PlannedWorkload, planWorkload } from './plan.ts'
import type { Method, WorkloadObject } from './workload.ts'

/** How far a run is, for people who watch. */
export interface ScrapeProgress extends Rollout {
  /** `deployment/web` */
  workload: string
  /** Which one of how many, counted from 1. */
  number: number
  of: number
}

type Needs = Pick<Dependencies, 'cluster' | 'clock'>

export function isChanged({ changes }: PlannedWorkload): boolean {
  return changes.some(({ action }) => action !== 'unchanged')
}

/** Whether its pods are replaced. */
export function changesPods({ changes }: PlannedWorkload): boolean {
  return changes.some(({ action, saying }) => saying === 'restart' && action !== 'unchanged')
}

/**
 * @returns them as they came out
 * @throws UserError ROLLOUT_FAILED, and what an API server says to a write
 */
export async function applyWorkloads(
  request: { method: 'auto' | Method; timeout: number },
  planned: PlannedWorkload[],
  progress: Progress,
  dependencies: Needs,
  watching: (progress: ScrapeProgress) => void = () => {},
): Promise<PlannedWorkload[]> {
  const applied: PlannedWorkload[] = []
  const open = planned.filter((one) => isChanged(one) || isUnderWay(one))
  for (const one of planned) {
    const number = open.indexOf(one) + 1
    if (number === 0) {
      applied.push(one)
      continue
    }
    const { resource, object } = one.candidate
    const workload = `${kindName({ ...resource, group: '' })}/${object.metadata.name}`
    const done = isChanged(one) ? await persistently(() => applyOne(one, request.method, progress, dependencies)) : one
    applied.push(done)
    if (done.skip === undefined)
      await awaitRollout(resource, object, request.timeout, dependencies, (rollout) =>
        watching({ ...rollout, workload, number, of: open.length }),
      )
  }
  return applied
}

/** A run before this one was cut off while the pods were being replaced. */
function isUnderWay({ skip, candidate }: PlannedWorkload): boolean {
  return skip === undefined && !rolloutOf(candidate.object).done
}

/** Others were waited for, and an autoscaler or somebody may have changed this one meanwhile: it is read and planned again. */
async function applyOne(
  planned: PlannedWorkload,
  method: 'auto' | Method,
  progress: Progress,
  { cluster }: Needs,
): Promise<PlannedWorkload> {
  const { resource, object } = planned.candidate
  const present = await cluster.get<WorkloadObject>(resource, object.metadata)
  if (present === undefined) return { ...planned, skip: GONE, changes: [] }
  const again = planWorkload({ ...planned.candidate, object: present }, method, planned.scene)
  if (again.skip !== undefined) return again
  return { ...again, changes: await applyChanges(cluster, again.changes, progress) }
}

const GONE = { code: 'NOT_FOUND', reason: 'somebody has deleted it meanwhile' }
