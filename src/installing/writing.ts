/** How a planned installation is rehearsed, and written in its order. */
import { applyChanges, type Change, rehearse } from '../changes/changes.ts'
import type { Progress } from '../changes/progress.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { type Finding, notes } from '../findings.ts'
import { sh } from '../shell.ts'
import type { InstallPlan, Needs } from './plan.ts'
import { awaitDeleted, isReplaced, rehearseReplacing } from './replacing.ts'
import { changesIn } from './result.ts'

/** @throws UserError FIELD_IMMUTABLE, and the API server's answer to a dry run */
export async function rehearsePlan(plan: InstallPlan, cluster: Cluster): Promise<InstallPlan> {
  const { creation, record, request } = plan
  const changes = changesIn(plan).filter((change) => creation === undefined || isWithoutNamespace(change))
  const rehearsed = await rehearseReplacing(changes, request.replace === true, cluster)
  const after = (change: Change) => rehearsed.get(change) ?? [change]
  const [rehearsedRecord = record] = after(record)
  const [lastRecord] = plan.lastRecord === undefined ? [] : after(plan.lastRecord)
  const addons = plan.addons.map((addon) => ({ ...addon, changes: addon.changes.flatMap(after) }))
  const replaced = plan.replaced.map((one) => ({ ...one, changes: one.changes.flatMap(after) }))
  return { ...plan, record: rehearsedRecord, lastRecord, addons, replaced }
}

function isWithoutNamespace({ manifest }: Change): boolean {
  return manifest.metadata.namespace === undefined
}

/** What the API server cannot try in a dry run: nothing can be in a namespace that does not exist. */
export function untried({ creation, namespace }: InstallPlan): Finding[] {
  if (creation === undefined) return []
  const message = `namespace ${namespace} does not exist, so only the objects outside of it were tried; the others are tried after it was created, before the first of them is written`
  return [notes('NOT_REHEARSED', message, sh`kubectl create namespace ${namespace}   # to try all of them now`)]
}

/** @throws UserError, the API server's answer to a write */
export async function writePlan(
  plan: InstallPlan,
  progress: Progress,
  { cluster, clock }: Pick<Needs, 'cluster' | 'clock'>,
): Promise<void> {
  const { creation } = plan
  const rest = changesIn(plan).filter((change) => change !== creation)
  if (creation !== undefined && rest.length > 0) await createNamespace(creation, rest, progress, cluster)
  for (const change of rest) {
    await applyChanges(cluster, [change], progress)
    if (isReplaced(change, rest)) await awaitDeleted(change, cluster, clock)
  }
}

/** Now the objects in it can be rehearsed. If one is refused, the namespace goes again. */
async function createNamespace(
  creation: Change,
  rest: readonly Change[],
  progress: Progress,
  cluster: Cluster,
): Promise<void> {
  const [created] = await applyChanges(cluster, [creation], progress)
  const inside = rest.filter((change) => !isWithoutNamespace(change))
  try {
    await rehearse(cluster, inside)
  } catch (error) {
    if (created?.after !== undefined) await cluster.delete(creation.resource, created.after)
    progress.deleted(`namespace/${creation.manifest.metadata.name}`)
    throw error
  }
}
