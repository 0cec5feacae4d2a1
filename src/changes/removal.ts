/** Steps of an undo that are alike for every part that changes users' objects. Pure. */
import { appliedFields, type Part } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import type { Code } from '../codes.ts'
import { hasCode } from '../errors.ts'
import { asFinding, type Finding } from '../findings.ts'
import { sh } from '../shell.ts'
import { type Change, planChanges } from './changes.ts'
import { type Fragments, reverting } from './edits.ts'
import type { FoundObject } from './undo.ts'

/** An empty apply, which removes the fields that the part applied; none if it applied none. */
export function planRemoval({ resource, object }: FoundObject, part: Part): Change[] {
  if (appliedFields(object, part) === undefined) return []
  const { name, namespace } = object.metadata
  const manifest = { ...typeOf(resource), metadata: { name, ...(namespace === undefined ? {} : { namespace }) } }
  return planChanges([{ resource, manifest, by: 'sharing' }], [object], part)
}

/**
 * Why an object with a text that cannot be restored exactly stays unchanged: it stops nothing else.
 * @param codes of the errors that say so
 * @returns `undefined` if it can be restored
 */
export function whyKept({ object }: FoundObject, part: Part, fragments: Fragments, codes: Code[]): Finding | undefined {
  try {
    reverting(object, part, fragments)
    return undefined
  } catch (error) {
    if (!hasCode(error, ...codes)) throw error
    const { kind, metadata } = object
    const finding = asFinding(error, 'warns')
    const message = `${kind} ${metadata.namespace}/${metadata.name} was left unchanged: ${finding.message}`
    const edit = sh`kubectl -n ${metadata.namespace} edit ${kind.toLowerCase()} ${metadata.name}   # correct it, then run the command again`
    return { ...finding, message, remedies: [edit] }
  }
}
