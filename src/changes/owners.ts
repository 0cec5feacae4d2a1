/** Entries of managedFields, as they are read from objects and from records in annotations, which anybody may write. Pure. */
import { type FieldSet, isFieldSet } from '../cluster/ownership.ts'
import { isMap, jsonOf, mapOf } from '../shapes.ts'

/** An entry of managedFields. */
export interface FieldOwner {
  manager?: string
  operation?: string
  subresource?: string
  /** RFC 3339; changes with every write of the manager. */
  time?: string
  fieldsV1: FieldSet
  [field: string]: unknown
}

export function isOwner(value: unknown): value is FieldOwner {
  const { manager, operation, fieldsV1, time, subresource } = (value ?? {}) as Partial<FieldOwner>
  const texts = [time, subresource].every((one) => one === undefined || typeof one === 'string')
  return typeof manager === 'string' && ['Apply', 'Update'].includes(operation ?? '') && texts && isFieldSet(fieldsV1)
}

export function sameManager({ manager, operation, subresource }: Partial<FieldOwner>) {
  return (other: Partial<FieldOwner>): boolean =>
    other.manager === manager && other.operation === operation && (other.subresource ?? '') === (subresource ?? '')
}

/** The fields that are not in the other set. */
export function minus(fields: FieldSet, other: FieldSet): FieldSet {
  const left = Object.entries(fields).flatMap(([path, inner]): [string, FieldSet][] => {
    const kept = other[path]
    if (kept === undefined) return [[path, inner]]
    const rest = minus(inner, kept)
    return Object.keys(rest).length === 0 ? [] : [[path, rest]]
  })
  return Object.fromEntries(left)
}

/** The path of each field that has no inner ones. */
export function leavesOf(fields: FieldSet): string[][] {
  return Object.entries(fields).flatMap(([path, inner]) =>
    Object.keys(inner).length === 0 ? [[path]] : leavesOf(inner).map((rest) => [path, ...rest]),
  )
}

/** The value of a field; `undefined` if the object does not have it. */
export function valueAt(value: unknown, [step, ...rest]: string[]): unknown {
  if (step === undefined || value === undefined) return value
  if (step.startsWith('f:')) return isMap(value) ? valueAt(value[step.slice(2)], rest) : value
  if (!step.startsWith('k:') || !Array.isArray(value)) return value
  const key = Object.entries(mapOf(jsonOf(step.slice(2))))
  return valueAt(
    value.find((item) => isMap(item) && key.every(([name, wanted]) => item[name] === wanted)),
    rest,
  )
}
