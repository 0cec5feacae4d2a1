/** Takes secure scraping away: the pods as they were, one workload after the other, then what is ours, and Prometheus last. */
import { applyChanges, type Change, planChanges, rehearse } from '../changes/changes.ts'
import { type Parts, reverting } from '../changes/edits.ts'
import { revertEdits } from '../changes/object-edits.ts'
import { Progress } from '../changes/progress.ts'
import type { CleanupResult, RemovedObject } from '../cleaning/cleanup.ts'
import { type Cluster, type KubeObject, kindName } from '../cluster/cluster.ts'
import { appliedFields, isOwned } from '../cluster/ownership.ts'
import { typeOf, WORKLOADS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { Owned } from '../exposing/undo/undo.ts'
import { awaitRollout } from '../workloads/await-rollout.ts'
import type { Dependencies, Warning } from '../world.ts'
import { findScraping, type ScrapingLeft } from './inventory.ts'
import { TEMPLATE_PARTS } from './methods/template.ts'
import { PROMETHEUS_PARTS } from './scraper/edits.ts'
import type { WorkloadObject } from './workload.ts'

export interface ScrapingCleanup {
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
  /** Milliseconds to wait for the next pod of a workload. */
  timeout: number
}

/** Take ours out of what somebody edited since. */
const PARTS: Parts = { ...PROMETHEUS_PARTS, ...TEMPLATE_PARTS }

type Needs = Pick<Dependencies, 'cluster' | 'terminal' | 'clock'>

/**
 * A workload that does not come back is told of, and the others go on: it is as it was before.
 * @throws UserError CONSENT_REQUIRED, and what the API server says to a write
 */
export async function cleanupScraping(
  { yes, dryRun, timeout }: ScrapingCleanup,
  dependencies: Needs,
): Promise<CleanupResult> {
  const { cluster } = dependencies
  const left = await findScraping(cluster)
  const restored = othersOf(left)
  const owned = ownedOf(left)
  const result = (outcome: CleanupResult['outcome'], remaining: Owned[], warnings: Warning[] = []): CleanupResult => ({
    outcome,
    deleted: outcome === 'declined' ? [] : owned.map(nameOf),
    restored: outcome === 'declined' ? [] : restored.map(nameOf),
    changed: [],
    authorities: [],
    remaining: remaining.map(nameOf),
    warnings: [...left.warnings, ...warnings],
  })
  if (dryRun === 'client') return result('planned', [])
  await rehearseAll(left, cluster)
  if (dryRun === 'server') return result('planned', [])
  if (restored.length + owned.length === 0) return result('applied', [])
  if (!(await confirmed(left, yes, dependencies))) return result('declined', [...restored, ...owned])
  const progress = new Progress()
  const warnings = await progress.telling(() => takeAway(left, timeout, progress, dependencies))
  const after = await findScraping(cluster)
  return result('applied', [...othersOf(after), ...ownedOf(after)], warnings)
}

/** Given back. */
function othersOf({ workloads, around, prometheus }: ScrapingLeft): Owned[] {
  return [...workloads, ...around.filter(({ object }) => !isOwned(object)), ...prometheus]
}

/** Deleted. */
function ownedOf({ around }: ScrapingLeft): Owned[] {
  return around.filter(({ object }) => isOwned(object))
}

async function takeAway(
  { workloads, around, prometheus }: ScrapingLeft,
  timeout: number,
  progress: Progress,
  dependencies: Needs,
): Promise<Warning[]> {
  const { cluster } = dependencies
  const warnings: Warning[] = []
  for (const one of workloads) {
    await giveBack(one, progress, cluster)
    warnings.push(...(await lateness(one, timeout, dependencies)))
  }
  for (const one of around) await (isOwned(one.object) ? remove : giveBack)(one, progress, cluster)
  for (const one of prometheus) {
    await giveBack(one, progress, cluster)
    if (WORKLOADS.includes(one.resource)) warnings.push(...(await lateness(one, timeout, dependencies)))
  }
  return warnings
}

/** An object has either fields that we applied or a record of what was there. */
async function giveBack({ resource, object }: Owned, progress: Progress, cluster: Cluster): Promise<void> {
  await applyChanges(cluster, withoutOurs({ resource, object }), progress)
  await revertEdits(cluster, resource, object.metadata, progress, PARTS)
}

async function remove({ resource, object }: Owned, progress: Progress, cluster: Cluster): Promise<void> {
  await cluster.delete(resource, object)
  progress.deleted(`${kindName(resource)}/${object.metadata.name}`)
}

/** An empty apply. */
function withoutOurs({ resource, object }: Owned): Change[] {
  if (appliedFields(object) === undefined) return []
  const { name, namespace } = object.metadata
  const manifest = { ...typeOf(resource), metadata: { name, ...(namespace === undefined ? {} : { namespace }) } }
  return planChanges([{ resource, manifest, by: 'sharing' }], [object])
}

async function lateness({ resource, object }: Owned, timeout: number, dependencies: Needs): Promise<Warning[]> {
  try {
    await awaitRollout(resource, object as WorkloadObject, timeout, dependencies)
    return []
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== 'ROLLOUT_FAILED') throw error
    const { message, suggestions } = error
    return [{ code: error.code, message, remedy: suggestions[0] ?? '' }]
  }
}

async function rehearseAll(left: ScrapingLeft, cluster: Cluster): Promise<void> {
  for (const one of othersOf(left)) {
    await rehearse(cluster, withoutOurs(one))
    const way = reverting<KubeObject>(one.object, PARTS)
    if (way !== undefined) await cluster.replace(one.resource, way.values, { dryRun: true })
  }
  for (const { resource, object } of ownedOf(left)) await cluster.delete(resource, object, { dryRun: true })
}

async function confirmed(left: ScrapingLeft, yes: boolean, { terminal }: Needs): Promise<boolean> {
  if (yes) return true
  const lines = [
    ...othersOf(left).map((one) => `${titleOf(one)}: take our part of it back${restartWords(one)}`),
    ...ownedOf(left).map((one) => `${titleOf(one)}: delete`),
  ]
  const count = `${lines.length} object${lines.length === 1 ? '' : 's'}`
  if (!terminal.interactive)
    throw new UserError(
      'CONSENT_REQUIRED',
      `${count} would be deleted or changed, and there is no terminal to ask on`,
      { suggestions: ['-y', '--dry-run=client   # shows them'] },
    )
  for (const line of lines) terminal.note(`  ${line}`)
  return terminal.confirm(`Take secure scraping away from these ${count}?`)
}

function titleOf({ resource, object: { metadata } }: Owned): string {
  return `${resource.kind} ${metadata.namespace}/${metadata.name}`
}

function restartWords({ resource, object }: Owned): string {
  if (!WORKLOADS.includes(resource)) return ''
  const { status = {} } = object as WorkloadObject
  const pods = status.replicas ?? status.desiredNumberScheduled ?? 0
  return `, ${pods} pod${pods === 1 ? '' : 's'} restarted`
}

function nameOf({ resource, object }: Owned): RemovedObject {
  const { name, namespace = '' } = object.metadata
  return { kind: resource.kind, group: resource.group, namespace, name }
}
