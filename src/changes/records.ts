/** The record of an edit of a user's object, kept in an annotation of that object. It comes from the cluster, so it is validated. Pure. */
import { createHash } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import type { KubeObject } from '../cluster/cluster.ts'
import { changedLabels, EXPOSING, FORMER_LINK_RECORD, FORMER_LINKED, type Part } from '../cluster/ownership.ts'
import { isFlat, isMap } from '../shapes.ts'
import type { Path } from './fields.ts'
import { isWithinReach } from './reach.ts'

/** A value before the edit; long texts are packed. Empty: the field did not exist. */
export type Kept = { value?: unknown } | { gzip: string }

export interface Field {
  path: Path
  /** How many of its steps existed before. */
  existed: number
  before: Kept
  /** The value that the part wrote; if only a fragment of it is the part's, a digest. */
  after: unknown
  /** The name of that fragment. */
  part?: string
  /** The fragment, in the form that the function that removes it needs. */
  ours?: unknown
}

export interface EditRecord {
  fields: Field[]
  managedFields: ManagedFields[]
}

export interface ManagedFields {
  manager?: string
  operation?: string
  subresource?: string
  time?: string
  [field: string]: unknown
}

/** The annotation with the record: each part has its own, so that several may edit one object. */
export function recordName({ name }: Part): string {
  return `kubectl-telemetry/before-${name}`
}

/** Whether the object has the annotation of a record, which may be invalid. */
export function hasRecord({ metadata: { annotations } }: KubeObject, part: Part): boolean {
  return recordNames(part).some((name) => annotations?.[name] !== undefined)
}

/** The record; `undefined` if there is none, or this program did not write it. A record can only change the object that carries it. */
export function recordOf(object: KubeObject, part: Part): EditRecord | undefined {
  const { annotations = {} } = object.metadata
  const record = parsed(annotations[recordName(part)])
  if (record !== undefined) return isRecord(record, object.kind) ? record : undefined
  const link = part === EXPOSING ? parsed(annotations[FORMER_LINK_RECORD]) : undefined
  return isLink(link) && object.kind === 'ConfigMap' ? recordOfLink(object, link) : undefined
}

/** Labels or annotations without those of the part's record, of any version. */
export function withoutMarks(entries: Record<string, string>, part: Part): Record<string, string> {
  const former = part === EXPOSING ? [FORMER_LINKED] : []
  const marks = [...recordNames(part), ...Object.keys(changedLabels(part)), ...former]
  return Object.fromEntries(Object.entries(entries).filter(([name]) => !marks.includes(name)))
}

function recordNames(part: Part): string[] {
  return [recordName(part), ...(part === EXPOSING ? [FORMER_LINK_RECORD] : [])]
}

/** Equal for equal values, also if the order of their fields differs: the API server sorts the fields of custom resources. */
export function digestOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)) ?? '')
    .digest('hex')
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner)]))
}

/** @returns null for a text that this program never wrote */
function parsed(text: string | undefined): unknown {
  try {
    const value: unknown = text === undefined ? undefined : JSON.parse(text)
    return isFlat(value, DEEPEST) ? value : null
  } catch {
    return null
  }
}

/** Deeper than any record. Functions that call themselves read the values, and the stack is finite. */
const DEEPEST = 59

/** More fields than any object of ours has edits. */
const MOST_FIELDS = 100

function isRecord(value: unknown, kind: string): value is EditRecord {
  if (!isMap(value)) return false
  const { fields, managedFields } = value
  return (
    Array.isArray(fields) &&
    fields.length <= MOST_FIELDS &&
    fields.every((field) => isField(field, kind)) &&
    Array.isArray(managedFields) &&
    managedFields.every(isMap)
  )
}

function isField(value: unknown, kind: string): value is Field {
  if (!isMap(value)) return false
  const { path, existed, before, part } = value
  const isKept = isMap(before) && (!('gzip' in before) || isPacked(before.gzip))
  return (
    isPath(path) &&
    Number.isInteger(existed) &&
    isKept &&
    (part === undefined || typeof part === 'string') &&
    isWithinReach(kind, path, unpacked(before as Kept))
  )
}

/** Bytes. Objects are smaller, so this program never packed a longer text. */
const LARGEST = 4 * 1024 * 1024

export function unpacked(kept: Kept): unknown {
  if (!('gzip' in kept)) return kept.value
  return gunzipSync(Buffer.from(kept.gzip, 'base64'), { maxOutputLength: LARGEST }).toString('utf8')
}

function isPacked(gzip: unknown): boolean {
  try {
    return typeof gzip === 'string' && typeof unpacked({ gzip }) === 'string'
  } catch {
    return false
  }
}

function isPath(path: unknown): path is Path {
  return (
    Array.isArray(path) &&
    path.every(
      (step) =>
        typeof step === 'string' || (isMap(step) && Object.values(step).every((one) => typeof one === 'string')),
    )
  )
}

/** The record of links in an earlier version, which had its own format for them. */
interface FormerLink {
  text: string
  managedFields: ManagedFields[]
  urls: Record<string, string>
  digest: string
  deployment: string
}

function isLink(value: unknown): value is FormerLink {
  if (!isMap(value)) return false
  const texts = [value.text, value.digest, value.deployment]
  return texts.every((one) => typeof one === 'string') && isMap(value.urls) && Array.isArray(value.managedFields)
}

function recordOfLink(object: KubeObject, { text, managedFields, urls, digest, deployment }: FormerLink): EditRecord {
  const path = ['data', 'config.yaml']
  const present = (object.data as Record<string, string> | undefined)?.['config.yaml'] ?? ''
  // Its digest was only of the text.
  const isUntouched = createHash('sha256').update(present).digest('hex') === digest
  const after = isUntouched ? digestOf(present) : digest
  const field = { path, existed: path.length, before: { value: text }, after, part: 'kiali-links' }
  return { fields: [{ ...field, ours: { urls, deployment } }], managedFields }
}
