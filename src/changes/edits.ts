/** Edits fields of a user's object that server-side apply cannot share, with a record that restores them. Pure. */
import { isDeepStrictEqual } from 'node:util'
import { gzipSync } from 'node:zlib'
import type { KubeObject } from '../cluster/cluster.ts'
import { changedLabels, INSTALLING, isFieldSet, isOurManager, type Part } from '../cluster/ownership.ts'
import { UserError } from '../errors.ts'
import { asFinding, type Finding } from '../findings.ts'
import { sh } from '../shell.ts'
import { hasBrokenMaps } from './empty-maps.ts'
import { at, existing, type Path, removed, within } from './fields.ts'
import { isOwner, leavesOf, minus, sameManager, valueAt } from './owners.ts'
import { isWithinReach } from './reach.ts'
import {
  digestOf,
  type EditRecord,
  type Field,
  hasRecord,
  type Kept,
  type ManagedFields,
  recordName,
  recordOf,
  unpacked,
  withoutMarks,
} from './records.ts'

/** A field and its wanted value. */
export interface Edit {
  path: Path
  value: unknown
  /** Set if only a fragment of the value is ours, such as a job in a text: names the function in `Fragments` that removes it. */
  fragment?: string
  /** The fragment, for the function that removes it. */
  ours?: unknown
}

/** Functions by name that remove our fragment from a value that the user edited after we did. @param before the value before our first edit */
export type Fragments = Record<string, (present: unknown, before: unknown, ours: unknown) => unknown>

/** Characters. Longer texts are packed: all annotations of an object together may have 256 KiB. */
const LONG = 16 * 1024

/** The two writes that restore an object. The second removes the record, only after the values are restored. */
export interface Reverting<T> {
  values: T
  /** Whether the cluster already has `values`. */
  isBack: boolean
  /** The object without the record. @param after the restored object, as the API server returned it */
  forgotten(after: T): T
}

/** Whether the object has a valid record of the part. */
export function isEdited(object: KubeObject, part: Part): boolean {
  return recordOf(object, part) !== undefined
}

/** The part's fragment of a field, from its record. @param fragment its name */
export function oursIn(object: KubeObject, part: Part, fragment: string): unknown {
  return recordOf(object, part)?.fields.find((field) => field.part === fragment)?.ours
}

/** Whether a field of the object did not exist before the edit of the part. */
export function isAdded(object: KubeObject, part: Part, path: Path): boolean {
  const field = recordOf(object, part)?.fields.find((one) => isDeepStrictEqual(one.path, path))
  return field !== undefined && unpacked(field.before) === undefined
}

/**
 * The object with these values, the record of the earlier values, and the label that finds the object. The record keeps the state before
 * the first edit, however often the object is edited.
 * @returns the same object if it already has all values
 * @throws UserError RECORD_INVALID
 */
export function edited<T extends KubeObject>(object: T, edits: Edit[], part: Part, fragments: Fragments = {}): T {
  const earlier = recordOf(object, part)
  if (earlier === undefined && hasRecord(object, part)) throw unreadable(object)
  const record: EditRecord = earlier ?? { fields: [], managedFields: managedFieldsOf(object) }
  const fields = new Map(record.fields.map((field) => [JSON.stringify(field.path), field]))
  let after: T = object
  for (const { path, value, fragment, ours } of edits) {
    const present = at(object, path)
    if (isDeepStrictEqual(present, value)) continue
    const known = fields.get(JSON.stringify(path))
    const field =
      known === undefined ? newField(object, path, present) : { ...known, before: keptOf(known, present, fragments) }
    const own =
      fragment === undefined
        ? { after: value }
        : { after: digestOf(value), part: fragment, ...(ours === undefined ? {} : { ours }) }
    fields.set(JSON.stringify(path), { ...field, ...own })
    after = within(after, path, value) as T
  }
  return after === object
    ? object
    : marked(after, part, { ...record, fields: [...fields.values()].map(restorable(object)) })
}

/** @throws UserError RECORD_INVALID instead of an edit that no cleanup could undo */
function restorable({ kind, metadata: { namespace, name } }: KubeObject): (field: Field) => Field {
  return (field) => {
    if (isWithinReach(kind, field.path, unpacked(field.before))) return field
    const path = field.path.map((step) => (typeof step === 'string' ? step : Object.values(step).join())).join('.')
    const message = `the present value of ${path} in ${kind} ${namespace}/${name} could not be restored by cleanup, so it was left unchanged`
    throw new UserError('RECORD_INVALID', message, {
      suggestions: [sh`kubectl -n ${namespace} get ${kind.toLowerCase()} ${name} -o yaml   # look at it`],
    })
  }
}

function unreadable({ kind, metadata }: KubeObject): UserError {
  const { name, namespace } = metadata
  const message = `the record of ${kind} ${namespace}/${name} (an annotation kubectl-telemetry/…) is invalid, so it was left unchanged`
  return new UserError('RECORD_INVALID', message, {
    suggestions: [sh`kubectl -n ${namespace} get ${kind.toLowerCase()} ${name} -o yaml   # restore it by hand`],
  })
}

/** One finding for each object with an invalid record: it cannot be restored. */
export function invalidRecords(objects: KubeObject[], part: Part): Finding[] {
  const bad = objects.filter((object) => (hasRecord(object, part) && !isEdited(object, part)) || hasBrokenMaps(object))
  return bad.map((object) => asFinding(unreadable(object), 'warns'))
}

/** The writes that restore the object: values that still are what we wrote, and texts without our fragments. */
export function reverting<T extends KubeObject>(
  object: T,
  part: Part,
  fragments: Fragments = {},
): Reverting<T> | undefined {
  const record = recordOf(object, part)
  if (record === undefined) return undefined
  const restored = record.fields.reduceRight<T>((rest, field) => back(rest, field, fragments), object)
  // Whatever the record says, the write goes to the object that carries it, in the version that was read.
  const { apiVersion, kind, metadata } = object
  const values = { ...restored, apiVersion, kind, metadata }
  return { values, isBack: isDeepStrictEqual(values, object), forgotten: (after) => unmarked(after, part, record) }
}

function newField(object: KubeObject, path: Path, present: unknown): Omit<Field, 'after'> {
  return { path, existed: existing(object, path), before: packed(present) }
}

/** The value to restore. If the user edited a text after our last edit, that is the text without our fragment. */
function keptOf(field: Field, present: unknown, fragments: Fragments): Kept {
  if (field.part === undefined || isOurs(field, present)) return field.before
  return packed(rest(field, present, fragments))
}

function back<T extends KubeObject>(object: T, field: Field, fragments: Fragments): T {
  // An item of a list that was deleted since, such as a container, is not created again.
  const items = field.path.findLastIndex((step, index) => typeof step !== 'string' && index < field.path.length - 1)
  if (items >= 0 && at(object, field.path.slice(0, items + 1)) === undefined) return object
  const present = at(object, field.path)
  const value = isOurs(field, present) ? unpacked(field.before) : rest(field, present, fragments)
  if (value === present) return object
  return (value === undefined ? removed(object, field.path, field.existed) : within(object, field.path, value)) as T
}

function isOurs({ part, after }: Field, present: unknown): boolean {
  return part === undefined ? holds(present, after) : digestOf(present) === after
}

/** The value without our fragment, if a function for it is known. */
function rest(field: Field, present: unknown, fragments: Fragments): unknown {
  const take = field.part === undefined ? undefined : fragments[field.part]
  const before = unpacked(field.before)
  return take === undefined || present === undefined || isDeepStrictEqual(present, before)
    ? present
    : take(present, before, field.ours)
}

/** Whether it contains all that we wrote; the API server may have added defaults. */
function holds(present: unknown, written: unknown): boolean {
  if (typeof written !== 'object' || written === null || Array.isArray(written))
    return isDeepStrictEqual(present, written)
  if (typeof present !== 'object' || present === null) return false
  return Object.entries(written).every(([name, value]) => holds((present as Record<string, unknown>)[name], value))
}

function marked<T extends KubeObject>(object: T, part: Part, record: EditRecord): T {
  const { labels = {}, annotations = {}, ...metadata } = object.metadata
  return {
    ...object,
    metadata: {
      ...metadata,
      labels: { ...withoutMarks(labels, part), ...changedLabels(part) },
      annotations: { ...withoutMarks(annotations, part), [recordName(part)]: JSON.stringify(record) },
    },
  }
}

/** The API server stores the given managedFields if the write changes no field that has an owner. */
function unmarked<T extends KubeObject>(object: T, part: Part, record: EditRecord): T {
  const { labels = {}, annotations = {}, ...metadata } = object.metadata
  const managedFields = restoredOwners(managedFieldsOf(object), shownOwners(record.managedFields, object))
  return {
    ...object,
    metadata: {
      ...metadata,
      labels: withoutMarks(labels, part),
      annotations: withoutMarks(annotations, part),
      // An empty list would make the API server forget all owners.
      ...(managedFields.length === 0 ? {} : { managedFields }),
    },
  }
}

/**
 * The managedFields with which edited fields belong to their former managers again, and only the record to us: a tool that applies without
 * force (helm 4) would stop at a field of ours.
 * @returns `undefined` if we own none of them
 */
export function handedBack(object: KubeObject, part: Part): ManagedFields[] | undefined {
  const record = recordOf(object, part)
  const present = managedFieldsOf(object)
  const own = present.filter((entry) => entry.manager === part.manager && isUpdateOfOurs(entry))
  const isOfRecord = ({ fieldsV1 }: ManagedFields) => Object.keys(fieldsV1 ?? {}).join() === 'f:metadata'
  if (record === undefined || own.every(isOfRecord)) return undefined
  const marks = own.flatMap((entry) => {
    const metadata = isFieldSet(entry.fieldsV1) ? entry.fieldsV1['f:metadata'] : undefined
    return metadata === undefined ? [] : [{ ...entry, fieldsV1: { 'f:metadata': metadata } }]
  })
  return [...restoredOwners(present, shownOwners(record.managedFields, object)), ...marks]
}

/** The owners before the edit, unless another manager has written since. Fields that we applied stay ours. */
function restoredOwners(present: ManagedFields[], before: ManagedFields[]): ManagedFields[] {
  const independent = present.filter((entry) => isIndependent(entry))
  const others = present.filter((entry) => !isIndependent(entry) && !isUpdateOfOurs(entry))
  const untouched = others.every((entry) => before.some((one) => isSameWrite(one, entry)))
  return [...(untouched ? before.filter((entry) => !isIndependent(entry)) : others), ...independent]
}

/**
 * The recorded owners that the object can have had: their fields are in it, and each manager owns them now or lost them to our write. Anybody
 * may have written the record.
 */
function shownOwners(recorded: ManagedFields[], object: KubeObject): ManagedFields[] {
  const present = managedFieldsOf(object)
  const taken = present.filter(isUpdateOfOurs).flatMap(({ fieldsV1 }) => (isFieldSet(fieldsV1) ? [fieldsV1] : []))
  return recorded.filter((entry) => {
    if (!isOwner(entry)) return false
    const isIn = (path: string[]) => valueAt(object as unknown, path.slice(0, -1)) !== undefined
    if (!leavesOf(entry.fieldsV1).every(isIn)) return false
    const lost = taken.reduce(minus, entry.fieldsV1)
    return present.some(sameManager(entry)) || leavesOf(lost).every((path) => path.at(-1) === '.')
  })
}

/**
 * Entries that change independently of the record: reports of controllers, and the fields that we apply to objects of others. What
 * `addons install` applies are its own objects: an edit takes fields from it as from everybody.
 */
function isIndependent({ subresource, manager, operation }: ManagedFields): boolean {
  return Boolean(subresource) || (isOurManager(manager) && manager !== INSTALLING.manager && operation === 'Apply')
}

function isUpdateOfOurs({ manager, operation }: ManagedFields): boolean {
  return isOurManager(manager) && operation === 'Update'
}

/** The API server updates the time of an entry whenever its manager changes a field. */
function isSameWrite(one: ManagedFields, other: ManagedFields): boolean {
  return one.manager === other.manager && one.operation === other.operation && one.time === other.time
}

function managedFieldsOf({ metadata }: KubeObject): ManagedFields[] {
  return (metadata.managedFields ?? []) as ManagedFields[]
}

function packed(value: unknown): Kept {
  if (value === undefined) return {}
  return typeof value === 'string' && value.length > LONG ? { gzip: gzipSync(value).toString('base64') } : { value }
}
