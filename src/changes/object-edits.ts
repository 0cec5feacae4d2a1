/** Edits fields of users' objects with a record, and restores them. */

import { type Cluster, type KubeObject, kindName, type ObjectName, type Resource } from '../cluster/cluster.ts'
import type { Part } from '../cluster/ownership.ts'
import { type Change, planChanges } from './changes.ts'
import { type Edit, edited, type Fragments, handedBack, reverting } from './edits.ts'
import { persistently } from './persistently.ts'
import type { Progress } from './progress.ts'

/** The edits of one object. They are computed from the present object, because it may change between the reads. */
export interface ObjectEdit {
  resource: Resource
  object: KubeObject
  edits(object: KubeObject): Edit[]
  /** The part that edits it. */
  part: Part
  fragments?: Fragments
}

/** The change, for the rehearsal and the page. */
export function planEdit({ resource, object, edits, part, fragments }: ObjectEdit): Change[] {
  const manifest = edited(object, edits(object), part, fragments)
  return planChanges([{ resource, manifest, by: 'replacing' }], [object], part)
}

/**
 * Edits the present object.
 * @returns the edited object, and whether it was changed
 * @throws UserError CONFLICT, NOT_FOUND
 */
export async function applyEdit(
  cluster: Cluster,
  { resource, object, edits, part, fragments }: ObjectEdit,
  progress: Progress,
): Promise<{ object: KubeObject; changed: boolean }> {
  return persistently(async (attempt) => {
    const present = attempt === 0 ? object : ((await cluster.get(resource, nameOf(object))) ?? object)
    const wanted = edited(present, edits(present), part, fragments)
    if (wanted === present) return { object: present, changed: false }
    const after = await cluster.replace(resource, wanted, part)
    progress.changed(`${kindName(resource)}/${object.metadata.name}`)
    return { object: after, changed: true }
  })
}

/**
 * Edits the present object, and lets the edited fields belong to their former managers. A run that was killed between the two writes is
 * completed by the next one.
 * @returns the edited object
 * @throws UserError CONFLICT, NOT_FOUND
 */
export async function applyEditAsGuest(cluster: Cluster, edit: ObjectEdit, progress: Progress): Promise<KubeObject> {
  const { resource, part } = edit
  const { object } = await applyEdit(cluster, edit, progress)
  await persistently(async (attempt) => {
    const present = attempt === 0 ? object : await cluster.get(resource, nameOf(object))
    const managedFields = present && handedBack(present, part)
    if (managedFields !== undefined) await cluster.setManagedFields(resource, present as KubeObject, managedFields)
  })
  return object
}

export interface Restoring extends Pick<ObjectEdit, 'part' | 'fragments'> {
  /** Restarts what reads the values. The record is removed after it, so that the run after a killed one restarts it again. */
  restart?: (() => Promise<void>) | undefined
}

/**
 * Restores the values first, and then removes the record and restores the owners: the next run can finish an interrupted one.
 * @returns whether there was a record
 */
export async function revertEdits(
  cluster: Cluster,
  { resource, name }: { resource: Resource; name: ObjectName },
  { part, fragments, restart = async () => {} }: Restoring,
  progress: Progress,
): Promise<boolean> {
  return persistently(async () => {
    const present = await cluster.get(resource, name)
    const way = present && reverting(present, part, fragments)
    if (present === undefined || way === undefined) return false
    const after = way.isBack ? present : await cluster.replace(resource, way.values, part)
    if (!way.isBack) progress.changed(`${kindName(resource)}/${name.name}`)
    await restart()
    await cluster.replace(resource, way.forgotten(after), part)
    return true
  })
}

function nameOf({ metadata: { name, namespace } }: KubeObject): ObjectName {
  return { name, ...(namespace === undefined ? {} : { namespace }) }
}
