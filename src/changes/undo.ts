/**
 * The one program that undoes what a part did: find, rehearse, confirm, take the steps in order, look again. Each capability says what
 * its steps are (`undo.ts` in its folder).
 */
import { type Cluster, type KubeObject, kindName, type Resource } from '../cluster/cluster.ts'
import { isOwnedBy, type Part } from '../cluster/ownership.ts'
import type { Code } from '../codes.ts'
import { hasCode } from '../errors.ts'
import { asFinding, type Finding, warns } from '../findings.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { aboutIt, applyChanges, type Change, type ObjectOutcome, outcomeOf, rehearse } from './changes.ts'
import { confirm, counted } from './confirmation.ts'
import { type Fragments, isEdited, reverting } from './edits.ts'
import { revertEdits } from './object-edits.ts'
import { persistently } from './persistently.ts'
import { Progress } from './progress.ts'

/** An object in the cluster, and its resource. */
export interface FoundObject {
  resource: Resource
  object: KubeObject
}

/** A user's object that is restored. */
export interface RestoreStep extends FoundObject {
  does: 'restore'
  /** Whose fields are removed; left out: those of the part that is undone. */
  part?: Part
  /** Remove the fields that the part applied. */
  changes: Change[]
  /** Remove the part's fragments of a text that a user has edited since. */
  fragments?: Fragments
  /** Restarts the programs that read the values: after the values are back, and before the record is removed. */
  restart?: (progress: Progress) => Promise<void>
  /** Objects that change as a consequence, such as the Deployment that is restarted. */
  consequences?: RemovedObject[]
  /** Follows "restore" in the question: `, 2 pods restart`. */
  effect?: string
  /** Waits until the restored object works again. @returns why it does not */
  settled?: () => Promise<Finding[]>
}

/** `restore`: a user's object. `change`: an object that stays and serves less. `delete`: an object that the part created. */
export type UndoStep = RestoreStep | { does: 'change'; change: Change } | DeleteStep

/** An object that the part created. */
export interface DeleteStep extends FoundObject {
  does: 'delete'
  /** Follows "delete" in the question: `, if nothing else is in it`. */
  effect?: string
  /** Looks directly before the deletion. @returns why the object stays */
  unless?: () => Promise<Finding | undefined>
}

/** A value: nothing changes it while its steps are taken. */
export interface UndoPlan {
  /** In the order in which they are taken: what leads to a thing goes before the thing. */
  readonly steps: readonly UndoStep[]
  readonly warnings: readonly Finding[]
}

/** How a capability is undone. Everything is found in the cluster, so any machine can do it, also after a run that was killed. */
export interface Undo {
  part: Part
  /** Reads the cluster and decides what the steps are. */
  plan(): Promise<UndoPlan>
  /** @param tried the uids of deleted objects. @returns objects that should be gone or restored, and are not */
  remaining(tried: ReadonlySet<string>): Promise<FoundObject[]>
  /** Waits until what was deleted before has no effect any more, where the next object must not be deleted earlier. */
  beforeDeleting?(next: FoundObject): Promise<void>
  /** Whether the API server tries each step before the question. Left out: only with `--dry-run=server`. */
  rehearses?: boolean
  /** Whether objects that another run created at the same time are deleted, too: they would serve without those that are gone. */
  deletesNewObjects?: boolean
  /** @param objects `3 objects` */
  question(objects: string): string
}

export interface UndoRequest {
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
  /** What is removed from this machine after the steps: lines for the question, and the removal. */
  onThisMachine?: { lines: string[]; remove(): Promise<void> }
}

export interface RemovedObject {
  kind: string
  group: string
  namespace: string
  name: string
}

export interface UndoResult {
  outcome: 'planned' | 'declined' | 'applied'
  deleted: RemovedObject[]
  /** Users' objects, from which our fields were removed. */
  restored: RemovedObject[]
  /** Objects that stay and serve less: hosts were removed from the Gateway and from the certificate. */
  changed: ObjectOutcome[]
  /** Should be gone, and are not: something creates them again, or a finalizer holds them. */
  remaining: RemovedObject[]
  warnings: Finding[]
}

/** Whether the exit code is 0: nothing was declined, and nothing is left that should be gone. */
export function succeeded({ outcome, remaining }: UndoResult): boolean {
  return outcome !== 'declined' && remaining.length === 0
}

/** How often objects of other runs are looked for. */
const LOOKS = 5

type Needs = { cluster: Cluster; terminal: Terminal }

/** @throws UserError CONSENT_REQUIRED, and the API server's answer to a write, with what was done before it */
export async function undo(way: Undo, request: UndoRequest, needs: Needs): Promise<UndoResult> {
  const { yes, dryRun, onThisMachine } = request
  const whole = await way.plan()
  if (dryRun === 'client') return resultOf('planned', whole)
  const isRehearsed = dryRun === 'server' || way.rehearses
  const plan = isRehearsed ? await rehearsed(whole, way.part, needs.cluster) : whole
  if (dryRun === 'server') return resultOf('planned', plan)

  const lines = [...plan.steps.flatMap(linesOf), ...(onThisMachine?.lines ?? [])]
  if (lines.length === 0) return resultOf('applied', plan)
  const objects = counted(lines.length, 'object')
  const question = { lines, question: way.question(objects), effect: `delete or change ${objects}` }
  if (!(await confirm({ yes, ...question, preview: 'client' }, needs.terminal))) return resultOf('declined', plan)

  const progress = new Progress()
  const done = await progress.reportOnError(() => takeSteps(way, plan, progress, needs.cluster))
  await onThisMachine?.remove()
  return resultOf('applied', plan, done)
}

/** The results of the steps. */
interface Done {
  /** All steps, but for deletions that turned out to be wrong. */
  taken: readonly UndoStep[]
  /** Objects that another run created while others were deleted, and that are deleted, too. */
  late: FoundObject[]
  remaining: FoundObject[]
  warnings: Finding[]
}

async function takeSteps(way: Undo, { steps }: UndoPlan, progress: Progress, cluster: Cluster): Promise<Done> {
  const warnings: Finding[] = []
  const taken: UndoStep[] = []
  for (const step of steps) {
    const kept = step.does === 'delete' ? await step.unless?.() : undefined
    if (kept === undefined) taken.push(step)
    warnings.push(...(kept === undefined ? await take(step, way, progress, cluster) : [kept]))
  }
  const tried = new Set(deletedBy(taken).map(uidOf))
  const late: FoundObject[] = []
  for (let look = 0; ; look++) {
    const remaining = await way.remaining(tried)
    const found = remaining.filter((one) => isOwnedBy(one.object, way.part) && !tried.has(uidOf(one)))
    if (!way.deletesNewObjects || found.length === 0 || look === LOOKS) return { taken, late, remaining, warnings }
    for (const one of found) {
      await remove(one, way, progress, cluster)
      tried.add(uidOf(one))
    }
    late.push(...found)
  }
}

async function take(step: UndoStep, way: Undo, progress: Progress, cluster: Cluster): Promise<Finding[]> {
  if (step.does === 'delete') await remove(step, way, progress, cluster)
  if (step.does === 'change') await applyChanges(cluster, [step.change], progress)
  if (step.does !== 'restore') return []
  const refused = await refusal(restore(step, step.part ?? way.part, progress, cluster))
  return refused === undefined ? ((await step.settled?.()) ?? []) : [refused]
}

async function restore(step: RestoreStep, part: Part, progress: Progress, cluster: Cluster): Promise<void> {
  await applyChanges(cluster, step.changes, progress)
  const { resource, object, fragments = {}, restart } = step
  const restoring = { part, fragments, ...(restart === undefined ? {} : { restart: () => restart(progress) }) }
  if (isEdited(object, part)) await revertEdits(cluster, { resource, name: object.metadata }, restoring, progress)
}

/** Errors that are the fault of one object. Its owner could cause them on purpose, so they do not keep the others from being restored. */
const OF_THE_OBJECT: Code[] = ['REJECTED', 'FIELD_CONFLICT', 'CONFLICT', 'CHANGED_ON_WRITE', 'RECORD_INVALID']

async function refusal(restoring: Promise<unknown>): Promise<Finding | undefined> {
  try {
    await restoring
    return undefined
  } catch (error) {
    if (hasCode(error, ...OF_THE_OBJECT)) return asFinding(error, 'warns')
    throw error
  }
}

async function remove(one: FoundObject, way: Undo, progress: Progress, cluster: Cluster): Promise<void> {
  const { resource, object } = one
  await way.beforeDeleting?.(one)
  await cluster.delete(resource, object)
  progress.deleted(`${kindName(resource)}/${object.metadata.name}`)
}

/**
 * The API server tries each step separately, as if the others were not taken.
 * @returns the plan without the objects that cannot be restored, which are findings
 */
async function rehearsed({ steps, warnings }: UndoPlan, part: Part, cluster: Cluster): Promise<UndoPlan> {
  const refusals = await Promise.all(
    steps.map(async (step) => {
      if (step.does === 'restore') return refusal(rehearseRestore(step, step.part ?? part, cluster))
      await (step.does === 'change'
        ? rehearse(cluster, [step.change])
        : cluster.delete(step.resource, step.object, { dryRun: true }))
      return undefined
    }),
  )
  return {
    steps: steps.filter((_, index) => refusals[index] === undefined),
    warnings: [...warnings, ...refusals.filter((one) => one !== undefined)],
  }
}

async function rehearseRestore(step: RestoreStep, part: Part, cluster: Cluster): Promise<void> {
  const { resource, object, changes, fragments } = step
  await rehearse(cluster, changes)
  if (!isEdited(object, part)) return
  // A controller may write the object's status between these two.
  await persistently(async () => {
    const present = await cluster.get(resource, object.metadata)
    const way = present && reverting<KubeObject>(present, part, fragments)
    if (way !== undefined) await cluster.replace(resource, way.values, { dryRun: true, manager: part.manager })
  })
}

function linesOf(step: UndoStep): string[] {
  const line = ({ kind, namespace, name }: RemovedObject, what: string) =>
    `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}: ${what}`
  if (step.does === 'delete') return [line(nameOf(step), `delete${step.effect ?? ''}`)]
  if (step.does === 'change') return [line(outcomeOf(step.change), `change${aboutIt(step.change)}`)]
  return [
    line(nameOf(step), `restore${step.effect ?? ''}`),
    ...(step.consequences ?? []).map((one) => line(one, 'restart')),
  ]
}

function resultOf(
  outcome: UndoResult['outcome'],
  { steps, warnings }: UndoPlan,
  { taken, late, remaining, warnings: more }: Done = { taken: steps, late: [], remaining: [], warnings: [] },
): UndoResult {
  const restores = steps.filter((step) => step.does === 'restore')
  const all = { warnings: [...warnings, ...more] }
  if (outcome === 'declined') {
    const left = [...restores, ...deletedBy(steps)].map(nameOf)
    return { outcome, deleted: [], restored: [], changed: [], remaining: left, ...all }
  }
  return {
    outcome,
    deleted: named([...deletedBy(taken), ...late]),
    restored: restores.flatMap((step) => [nameOf(step), ...(step.consequences ?? [])]),
    changed: steps.flatMap((step) => (step.does === 'change' ? [outcomeOf(step.change)] : [])),
    remaining: remaining.map(nameOf),
    ...all,
  }
}

function deletedBy(steps: readonly UndoStep[]): FoundObject[] {
  return steps.flatMap((step) => (step.does === 'delete' ? [step] : []))
}

/** Each name once: another run may have created an object of the same name again. */
function named(objects: FoundObject[]): RemovedObject[] {
  return [...new Map(objects.map(nameOf).map((name) => [JSON.stringify(name), name])).values()]
}

function uidOf({ object: { metadata } }: FoundObject): string {
  return metadata.uid ?? ''
}

function nameOf({ resource, object }: FoundObject): RemovedObject {
  const { name, namespace = '' } = object.metadata
  return { kind: resource.kind, group: resource.group, namespace, name }
}

/** Some kinds of objects could not be listed, so an undo may not have found all of its objects. */
export function notSearched(message: string, remedy: string): Finding {
  return warns('NOT_SEARCHED', message, remedy)
}
