/** Changes fields of others' objects with a record, and gives them back. */
import { type Cluster, type KubeObject, kindName, type ObjectName, type Resource } from '../cluster/cluster.ts'
import { type Change, planChanges } from './changes.ts'
import { type Edit, edited, type Parts, reverting } from './edits.ts'
import type { Progress } from './progress.ts'

/** Controllers write into objects all the time; somebody who is faster so many times in a row is told of. */
const ATTEMPTS = 5

/** What is to be changed in an object: told of the object as it is at that moment. */
export interface ObjectEdit {
  resource: Resource
  object: KubeObject
  edits(object: KubeObject): Edit[]
  /** Take ours out of parts that somebody edited since. */
  parts?: Parts
}

/** For the rehearsal and for people to look at. */
export function planEdit({ resource, object, edits, parts }: ObjectEdit): Change[] {
  return planChanges([{ resource, manifest: edited(object, edits(object), parts), by: 'replacing' }], [object])
}

/**
 * Makes the change, in the object as it is by then.
 * @returns the object as it is afterwards, and whether it was changed
 * @throws UserError CONFLICT, NOT_FOUND
 */
export async function applyEdit(
  cluster: Cluster,
  { resource, object, edits, parts }: ObjectEdit,
  progress: Progress,
): Promise<{ object: KubeObject; changed: boolean }> {
  return persistently(async (attempt) => {
    const present = attempt === 0 ? object : ((await cluster.get(resource, nameOf(object))) ?? object)
    const wanted = edited(present, edits(present), parts)
    if (wanted === present) return { object: present, changed: false }
    const after = await cluster.replace(resource, wanted)
    progress.changed(`${kindName(resource)}/${object.metadata.name}`)
    return { object: after, changed: true }
  })
}

/**
 * Values first, and only then the record and who owned what: cut off anywhere, the next run finishes it.
 * @param parts take ours out of parts that somebody edited since
 * @returns whether there was anything to give back
 */
export async function revertEdits(
  cluster: Cluster,
  resource: Resource,
  name: ObjectName,
  progress: Progress,
  parts: Parts = {},
): Promise<boolean> {
  return persistently(async () => {
    const present = await cluster.get(resource, name)
    const way = present && reverting(present, parts)
    if (present === undefined || way === undefined) return false
    const after = way.isBack ? present : await cluster.replace(resource, way.values)
    if (!way.isBack) progress.changed(`${kindName(resource)}/${name.name}`)
    await cluster.replace(resource, way.forgotten(after))
    return true
  })
}

/** What comes too late (CONFLICT) is done again with what is there then. */
export async function persistently<T>(work: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      if ((error as { code?: string }).code !== 'CONFLICT' || attempt + 1 >= ATTEMPTS) throw error
    }
  }
}

function nameOf({ metadata: { name, namespace } }: KubeObject): ObjectName {
  return { name, ...(namespace === undefined ? {} : { namespace }) }
}
