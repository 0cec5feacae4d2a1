/** Changes workloads one after the other and waits for each. It stops at the first workload that does not become ready. */

import { applyChanges } from '../changes/changes.ts'
import { persistently } from '../changes/persistently.ts'
import type { Progress } from '../changes/progress.ts'
import { awaitRollout } from '../workloads/await-rollout.ts'
import { type Rollout, rolloutOf } from '../workloads/rollout.ts'
import { workloadNames } from '../workloads/workload-names.ts'
import type { WorkloadObject } from '../workloads/workload-object.ts'
import type { Dependencies } from '../world.ts'
import { type PlannedWorkload, planWorkload } from './plan.ts'
import type { Method, Skip } from './workload.ts'

/** How far a run has come, for the progress line. */
export interface ScrapeProgress extends Rollout {
  /** `deployment/web` */
  workload: string
  /** The position of the workload among all workloads to change, counted from 1. */
  number: number
  of: number
}

type Needs = Pick<Dependencies, 'cluster' | 'clock'>

export function isChanged({ changes }: PlannedWorkload): boolean {
  return changes.some(({ action }) => action !== 'unchanged')
}

/** Whether the change replaces the pods of the workload. */
export function changesPods({ changes }: PlannedWorkload): boolean {
  return changes.some(({ action, restarts }) => restarts && action !== 'unchanged')
}

/**
 * @returns the workloads with the changes that were made
 * @throws UserError ROLLOUT_FAILED, and the errors of writes
 */
export async function applyWorkloads(
  request: { method: 'auto' | Method; timeout: number },
  planned: readonly PlannedWorkload[],
  { progress, tell = () => {} }: { progress: Progress; tell?: ((progress: ScrapeProgress) => void) | undefined },
  dependencies: Needs,
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
    const workload = workloadNames(one.candidate).argument
    const done = isChanged(one) ? await persistently(() => applyOne(one, request.method, progress, dependencies)) : one
    applied.push(done)
    const tellRollout = (rollout: Rollout) => tell({ ...rollout, workload, number, of: open.length })
    if (done.skip === undefined)
      await awaitRollout(resource, object, { timeout: request.timeout, progress: tellRollout }, dependencies)
  }
  return applied
}

/** An earlier run was interrupted while the pods were being replaced. */
function isUnderWay({ skip, candidate }: PlannedWorkload): boolean {
  return skip === undefined && !rolloutOf(candidate.object).done
}

/** Reads and plans the workload again: while earlier workloads rolled out, an autoscaler or a user may have changed this one. */
async function applyOne(
  planned: PlannedWorkload,
  method: 'auto' | Method,
  progress: Progress,
  { cluster }: Needs,
): Promise<PlannedWorkload> {
  const { resource, object } = planned.candidate
  const present = await cluster.get<WorkloadObject>(resource, object.metadata)
  if (present === undefined) return { ...planned, skip: GONE, changes: [] }
  const scene = { ...planned.scene, objects: await presentObjects(planned, cluster) }
  const again = planWorkload({ ...planned.candidate, object: present }, method, scene)
  if (again.skip !== undefined) return again
  return { ...again, changes: await applyChanges(cluster, again.changes, progress) }
}

/** The objects around the workload. A user's policy that is replaced whole is read again: it may be for several workloads. */
async function presentObjects({ changes, scene, candidate }: PlannedWorkload, cluster: Needs['cluster']) {
  const replaced = changes.filter(({ by, resource }) => by === 'replacing' && resource !== candidate.resource)
  const again = await Promise.all(
    replaced.map(async ({ resource, manifest }) => ({ manifest, now: await cluster.get(resource, manifest.metadata) })),
  )
  return scene.objects.flatMap((object) => {
    const { metadata, kind } = object
    const found = again.find(
      ({ manifest }) =>
        manifest.kind === kind &&
        manifest.metadata.name === metadata.name &&
        manifest.metadata.namespace === metadata.namespace,
    )
    return found === undefined ? [object] : (found.now ?? [])
  })
}

const GONE: Skip = { code: 'WORKLOAD_GONE', reason: 'it was deleted during the run' }
