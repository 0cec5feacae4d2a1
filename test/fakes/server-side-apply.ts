/** Server-side apply as observed on an API server: fields have managers, lists of ports have keys, left out fields are removed. */

import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { appliedFields, type FieldSet, part, withoutApplied } from '../../src/cluster/ownership.ts'
import { UserError } from '../../src/errors.ts'
import { copied } from './copied.ts'

/** Lists whose items have keys; every other list is one value. */
const KEYS: Record<string, string[]> = { ports: ['port', 'protocol'] }

/**
 * The object after a manifest was applied to it: fields that this manager applied before are removed, those of the manifest are set.
 * @param force whether other managers lose the fields in conflict
 * @throws UserError CONFLICT for another version of the object, FIELD_CONFLICT
 */
export function applied(present: KubeObject, manifest: KubeObject, by: string, force = false): KubeObject {
  const { apiVersion: _a, kind: _k, metadata, ...rest } = manifest
  const { name, namespace: _ns, resourceVersion = present.metadata.resourceVersion, ...ownMetadata } = metadata
  if (resourceVersion !== present.metadata.resourceVersion) throw new UserError('CONFLICT', `${name} has changed`)
  const own = { metadata: ownMetadata, ...rest }
  const others = ((present.metadata.managedFields ?? []) as { manager: string; fieldsV1?: FieldSet }[])
    .filter(({ manager }) => manager !== by)
    .map((entry) => ({ ...entry, fieldsV1: withoutConflicts(present, own, entry, force) }))
    .filter(({ fieldsV1 }) => fieldsV1 === undefined || Object.keys(fieldsV1).length > 0)
  const self = { ...part(by), manager: by }
  const after = withDefaults(
    merge(withoutApplied(present, self), own) as KubeObject,
    appliedFields(present, self),
    present,
  )
  const fieldsV1 = fieldsOf(own)
  const entry = Object.keys(fieldsV1).length === 0 ? [] : [{ manager: by, operation: 'Apply', fieldsV1 }]
  return { ...after, metadata: { ...after.metadata, managedFields: [...others, ...entry] } }
}

/** The fields that another manager still owns afterwards. */
function withoutConflicts(
  present: KubeObject,
  own: object,
  { manager, fieldsV1 }: { manager: string; fieldsV1?: FieldSet },
  force: boolean,
): FieldSet | undefined {
  const conflicts = fieldsV1 === undefined ? [] : conflictsOf(present, own, fieldsV1)
  if (conflicts.length === 0) return fieldsV1
  if (!force) throw new UserError('FIELD_CONFLICT', `conflict with "${manager}": ${conflicts.join(', ')}`)
  return conflicts.reduce<FieldSet>((fields, path) => less(fields, path.split(' ')), fieldsV1 ?? {})
}

/**
 * Fields of another manager for which the manifest has a different value. A key in another manager's map is a conflict only while that map
 * is empty, because then the map itself appears (observed with Kubernetes 1.34). Items of lists are not compared.
 * @returns paths as in managedFields, `f:metadata f:labels`
 */
function conflictsOf(present: unknown, own: unknown, fields: FieldSet, path: string[] = []): string[] {
  if (isDeepStrictEqual(present, own)) return []
  if (Object.keys(fields).length === 0) return isMap(own) && isMap(present) && hasKeys(present) ? [] : [path.join(' ')]
  if (!isMap(own)) return []
  return Object.entries(own).flatMap(([name, value]) => {
    const inner = fields[`f:${name}`]
    return inner === undefined
      ? []
      : conflictsOf(isMap(present) ? present[name] : undefined, value, inner, [...path, `f:${name}`])
  })
}

function less(fields: FieldSet, [step = '', ...rest]: string[]): FieldSet {
  const { [step]: inner = {}, ...others } = fields
  const left = rest.length === 0 ? {} : less(inner, rest)
  return hasKeys(left) ? { ...others, [step]: left } : others
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function hasKeys(value: object): boolean {
  return Object.keys(value).length > 0
}

export function fieldsOf(value: object): FieldSet {
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => {
      const keys = KEYS[name]
      if (Array.isArray(inner) && keys !== undefined) return [[`f:${name}`, itemsOf(inner, keys)]]
      if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return [[`f:${name}`, {}]]
      // An empty map is a field that its manager owns, except `metadata` that had only a name.
      return name === 'metadata' && !hasKeys(inner) ? [] : [[`f:${name}`, fieldsOf(inner)]]
    }),
  )
}

function itemsOf(items: Record<string, unknown>[], keys: string[]): FieldSet {
  return Object.fromEntries(
    items.map((item) => {
      const key = Object.fromEntries(keys.map((name) => [name, item[name]]))
      return [`k:${JSON.stringify(key)}`, { '.': {}, ...fieldsOf(item) }]
    }),
  )
}

function merge(present: unknown, own: unknown, name = ''): unknown {
  const keys = KEYS[name]
  if (Array.isArray(own) && Array.isArray(present) && keys !== undefined) {
    const isSame = (a: Record<string, unknown>, b: Record<string, unknown>) => keys.every((key) => a[key] === b[key])
    const left = present.filter((item) => !own.some((one) => isSame(item, one)))
    return [...left, ...own]
  }
  if (typeof own !== 'object' || own === null || Array.isArray(own)) return copied(own)
  const whole = (typeof present === 'object' && present !== null ? present : {}) as Record<string, unknown>
  const merged = Object.entries(own).map(([field, value]) => [field, merge(whole[field], value, field)])
  return { ...whole, ...Object.fromEntries(merged) }
}

/** Assigns node ports to a Service's ports like the API server; existing ones stay. */
function withDefaults(after: KubeObject, before: FieldSet | undefined, present: KubeObject): KubeObject {
  const { spec } = after as { spec?: { type?: string; ports?: Port[] } }
  if (after.kind !== 'Service' || spec?.type === 'ClusterIP' || spec?.ports === undefined) return after
  const earlier = before === undefined ? [] : ((present.spec as { ports?: Port[] }).ports ?? [])
  const taken = spec.ports.map(({ nodePort }) => nodePort)
  const ports = spec.ports.map((port) => {
    if (port.nodePort !== undefined) return port
    const nodePort = earlier.find((one) => one.port === port.port)?.nodePort ?? free(taken)
    taken.push(nodePort)
    return { ...port, nodePort }
  })
  return { ...after, spec: { ...spec, ports } }
}

interface Port {
  port: number
  nodePort?: number
}

function free(taken: (number | undefined)[]): number {
  let port = 30000
  while (taken.includes(port)) port++
  return port
}
