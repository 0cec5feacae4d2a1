/** Fields of somebody else's object that cannot be shared, changed with a record that gives them back. Pure. */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { KubeObject } from '../cluster/cluster.ts'
import { changedForScraping, MANAGER, RESTARTER } from '../cluster/ownership.ts'
import { at, existing, type Path, removed, within } from './fields.ts'

/** A field as it is to be. */
export interface Edit {
  path: Path
  value: unknown
  /** Ours is only a part of it, such as a job in a text: the entry of `Parts` that takes it out again. */
  part?: string
}

/** By name: what is left of a field that somebody edited after us, without what is ours. @param before as it was before us */
export type Parts = Record<string, (present: unknown, before: unknown) => unknown>

const RECORD = 'kubectl-telemetry/before-scraping'
/** Longer texts are packed: all annotations of an object together may have 256 KiB. */
const LONG = 16 * 1024

type Kept = { value?: unknown } | { gzip: string }

interface Field {
  path: Path
  /** How many of its steps were there before. */
  existed: number
  before: Kept
  /** As we wrote it; of what is ours in part a digest. */
  after: unknown
  part?: string
}

/** Kept in an annotation, so that any machine can undo it. */
interface BeforeEdits {
  fields: Field[]
  managedFields: ManagedFields[]
}

interface ManagedFields {
  manager?: string
  operation?: string
  subresource?: string
  time?: string
  [field: string]: unknown
}

/** An object on its way back, in two writes: only what is back already is forgotten. */
export interface Reverting<T> {
  values: T
  /** Whether `values` is what the cluster has already. */
  isBack: boolean
  /** @param after the object with its values back, as the API server returned it */
  forgotten(after: T): T
}

/** Whether fields of it were changed by us. */
export function isEdited({ metadata }: KubeObject): boolean {
  return metadata.annotations?.[RECORD] !== undefined
}

/**
 * The object with these fields, the record of what they were, and the label that finds it again. The record is of the state before
 * the first edit, however often it is edited. @returns the same object when all of it is so already
 */
export function edited<T extends KubeObject>(object: T, edits: Edit[], parts: Parts = {}): T {
  const earlier = recordOf(object)
  const record: BeforeEdits = earlier ?? { fields: [], managedFields: managedFieldsOf(object) }
  const fields = new Map(record.fields.map((field) => [JSON.stringify(field.path), field]))
  let after: T = object
  for (const { path, value, part } of edits) {
    const present = at(object, path)
    if (isDeepStrictEqual(present, value)) continue
    const known = fields.get(JSON.stringify(path))
    const field =
      known === undefined ? newField(object, path, present) : { ...known, before: keptOf(known, present, parts) }
    const written = part === undefined ? value : digestOf(value)
    fields.set(JSON.stringify(path), { ...field, after: written, ...(part === undefined ? {} : { part }) })
    after = within(after, path, value) as T
  }
  return after === object ? object : marked(after, { ...record, fields: [...fields.values()] })
}

/** What gives the object back as it was: all of it when nobody has edited it since, else what is still as we wrote it. */
export function reverting<T extends KubeObject>(object: T, parts: Parts = {}): Reverting<T> | undefined {
  const record = recordOf(object)
  if (record === undefined) return undefined
  const values = record.fields.reduceRight<T>((rest, field) => back(rest, field, parts), object)
  return { values, isBack: isDeepStrictEqual(values, object), forgotten: (after) => unmarked(after, record) }
}

function newField(object: KubeObject, path: Path, present: unknown): Omit<Field, 'after'> {
  return { path, existed: existing(object, path), before: packed(present) }
}

/** What somebody has made of a text since is what comes back. */
function keptOf(field: Field, present: unknown, parts: Parts): Kept {
  if (field.part === undefined || isOurs(field, present)) return field.before
  return packed(rest(field, present, parts))
}

function back<T extends KubeObject>(object: T, field: Field, parts: Parts): T {
  const present = at(object, field.path)
  const value = isOurs(field, present) ? unpacked(field.before) : rest(field, present, parts)
  if (value === present) return object
  return (value === undefined ? removed(object, field.path, field.existed) : within(object, field.path, value)) as T
}

function isOurs({ part, after }: Field, present: unknown): boolean {
  return part === undefined ? holds(present, after) : digestOf(present) === after
}

/** Without what is ours, where that can be told. */
function rest(field: Field, present: unknown, parts: Parts): unknown {
  const take = field.part === undefined ? undefined : parts[field.part]
  const before = unpacked(field.before)
  return take === undefined || present === undefined || isDeepStrictEqual(present, before)
    ? present
    : take(present, before)
}

/** Whether it has all that we wrote: the API server adds defaults. */
function holds(present: unknown, written: unknown): boolean {
  if (typeof written !== 'object' || written === null || Array.isArray(written))
    return isDeepStrictEqual(present, written)
  if (typeof present !== 'object' || present === null) return false
  return Object.entries(written).every(([name, value]) => holds((present as Record<string, unknown>)[name], value))
}

function marked<T extends KubeObject>(object: T, record: BeforeEdits): T {
  const { labels, annotations, ...metadata } = object.metadata
  return {
    ...object,
    metadata: {
      ...metadata,
      labels: { ...labels, ...changedForScraping() },
      annotations: { ...annotations, [RECORD]: JSON.stringify(record) },
    },
  }
}

/** The API server takes managedFields as they are given, where nothing else changes that somebody could own. */
function unmarked<T extends KubeObject>(object: T, record: BeforeEdits): T {
  const { labels = {}, annotations = {}, ...metadata } = object.metadata
  const [label = ''] = Object.keys(changedForScraping())
  const { [label]: _l, ...labelsLeft } = labels
  const { [RECORD]: _r, ...annotationsLeft } = annotations
  const managedFields = ownersAgain(managedFieldsOf(object), record.managedFields)
  return {
    ...object,
    metadata: {
      ...metadata,
      labels: labelsLeft,
      annotations: annotationsLeft,
      // An empty list would make the API server forget everybody.
      ...(managedFields.length === 0 ? {} : { managedFields }),
    },
  }
}

/** Who owned what before, unless somebody has written since; and what we applied stays ours. */
function ownersAgain(present: ManagedFields[], before: ManagedFields[]): ManagedFields[] {
  const moving = present.filter((entry) => isMoving(entry))
  const others = present.filter((entry) => !isMoving(entry) && !isUpdateOfOurs(entry))
  const untouched = others.every((entry) => before.some((one) => isSameWrite(one, entry)))
  return [...(untouched ? before.filter((entry) => !isMoving(entry)) : others), ...moving]
}

/** Controllers' reports, and what we apply, which comes and goes by itself. */
function isMoving({ subresource, manager, operation }: ManagedFields): boolean {
  return Boolean(subresource) || ([MANAGER, RESTARTER].includes(manager ?? '') && operation === 'Apply')
}

function isUpdateOfOurs({ manager, operation }: ManagedFields): boolean {
  return manager === MANAGER && operation === 'Update'
}

/** The API server sets an entry's time when its manager changes anything. */
function isSameWrite(one: ManagedFields, other: ManagedFields): boolean {
  return one.manager === other.manager && one.operation === other.operation && one.time === other.time
}

function managedFieldsOf({ metadata }: KubeObject): ManagedFields[] {
  return (metadata.managedFields ?? []) as ManagedFields[]
}

function recordOf({ metadata }: KubeObject): BeforeEdits | undefined {
  const text = metadata.annotations?.[RECORD]
  return text === undefined ? undefined : (JSON.parse(text) as BeforeEdits)
}

function packed(value: unknown): Kept {
  if (value === undefined) return {}
  return typeof value === 'string' && value.length > LONG ? { gzip: gzipSync(value).toString('base64') } : { value }
}

function unpacked(kept: Kept): unknown {
  return 'gzip' in kept ? gunzipSync(Buffer.from(kept.gzip, 'base64')).toString('utf8') : kept.value
}

function digestOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)) ?? '')
    .digest('hex')
}

/** The API server sorts the fields of what others have defined. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner)]))
}
