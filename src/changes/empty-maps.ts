/**
 * Adds keys to empty maps that another field manager owns. Pure.
 *
 * A chart with `annotations: {}` makes its field manager the owner of the empty map (helm 4 applies that way), and the API server reports a
 * conflict for every new key in it. There is no real conflict: the next apply of the other manager keeps our keys. Only a forced apply adds
 * the key, and that removes the map from the other manager's fields. So we return the map to it at once: then both own what they applied,
 * and an apply without our keys leaves the object as before. A record on the object lets a later run finish an interrupted one.
 */
import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../cluster/cluster.ts'
import { type FieldSet, union } from '../cluster/ownership.ts'
import { isMap } from '../shapes.ts'
import { type FieldOwner, isOwner, leavesOf, minus, sameManager, valueAt } from './owners.ts'

/** The fields that other managers lose by a forced apply. `fieldsV1` has only the maps that its manager lost. */
export type LostMaps = FieldOwner[]

/** Annotation on the object from the forced apply until the other managers own their maps again. */
const RECORD = 'kubectl-telemetry/empty-maps'

/**
 * @param after the API server's answer to the forced apply (or its dry run) of the manager `by`
 * @returns undefined if the other managers lose nothing, or lose more than empty maps to which only keys are added
 */
export function lostMaps(before: KubeObject, after: KubeObject, by: string): LostMaps | undefined {
  const left = ownersOf(after)
  const isOwn = ({ manager, operation }: FieldOwner) => manager === by && operation === 'Apply'
  const lost = ownersOf(before)
    .filter((owner) => !isOwn(owner))
    .map((owner) => ({ ...owner, fieldsV1: minus(owner.fieldsV1, left.find(sameManager(owner))?.fieldsV1 ?? {}) }))
    .filter(({ fieldsV1 }) => Object.keys(fieldsV1).length > 0)
  const own = left.find(isOwn)?.fieldsV1 ?? {}
  const isFree = (path: string[]) => isEmptyMap(valueAt(before, path)) && hasKeys(own, path)
  const areFree = lost.every(({ fieldsV1 }) => leavesOf(fieldsV1).every(isFree))
  return lost.length > 0 && areFree ? lost : undefined
}

/** @param present the object that was checked: the API server refuses the manifest for any later version of it */
export function withRecord(manifest: KubeObject, present: KubeObject, lost: LostMaps): KubeObject {
  const { annotations, ...metadata } = manifest.metadata
  const { resourceVersion = '' } = present.metadata
  return {
    ...manifest,
    metadata: { ...metadata, resourceVersion, annotations: { ...annotations, [RECORD]: JSON.stringify(lost) } },
  }
}

export function withoutRecord(object: KubeObject): KubeObject {
  const { annotations: { [RECORD]: _, ...annotations } = {}, ...metadata } = object.metadata
  return { ...object, metadata: Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations } }
}

/**
 * The record of an interrupted run. Any tenant may write annotations, so it is only followed where the object shows that the run of this
 * manager was there: the maps have only keys that the manager applied, so they were empty before.
 */
export function recordedMaps(object: KubeObject, manager: string): LostMaps {
  const own = ownersOf(object).find((owner) => owner.manager === manager && owner.operation === 'Apply')
  if (own === undefined) return []
  const isOurs = (path: string[]) => hasKeys(own.fieldsV1, path) && hasOnly(own.fieldsV1, valueAt(object, path), path)
  return (parsed(object) ?? []).filter(({ fieldsV1 }) => {
    const leaves = leavesOf(fieldsV1)
    return leaves.length > 0 && leaves.every(isOurs)
  })
}

/** Whether it has the annotation of an interrupted run, and no such run can have written it. */
export function hasBrokenMaps(object: KubeObject): boolean {
  return object.metadata.annotations?.[RECORD] !== undefined && parsed(object) === undefined
}

function parsed({ metadata: { annotations } }: KubeObject): LostMaps | undefined {
  try {
    const record: unknown = JSON.parse(annotations?.[RECORD] ?? '[]')
    return Array.isArray(record) && record.every(isOwner) ? record : undefined
  } catch {
    return undefined
  }
}

/**
 * The object's managedFields in which every manager owns its maps again, except a manager that has written since: its last write counts.
 * @returns undefined if no map is missing
 */
export function withMaps(object: KubeObject, lost: LostMaps): unknown[] | undefined {
  const present = ownersOf(object)
  const again = present.map((owner) => {
    const own = lost.find((one) => sameManager(one)(owner) && one.time === owner.time)
    return own === undefined ? owner : { ...owner, fieldsV1: union(owner.fieldsV1, own.fieldsV1) }
  })
  const gone = lost.filter((one) => !present.some(sameManager(one)))
  const managedFields = [...again, ...gone]
  return isDeepStrictEqual(managedFields, present) ? undefined : managedFields
}

function ownersOf({ metadata }: KubeObject): FieldOwner[] {
  return (metadata.managedFields ?? []).filter(isOwner)
}

/** Whether the path is a map with single keys. A map that is owned whole (`spec.selector`) is one value, and ours would replace it. */
function hasKeys(fields: FieldSet, path: string[]): boolean {
  const own = path.reduce<FieldSet | undefined>((inner, step) => inner?.[step], fields)
  return own !== undefined && Object.keys(own).some((step) => step.startsWith('f:'))
}

/** Whether all keys of the map belong to these fields. */
function hasOnly(fields: FieldSet, map: unknown, path: string[]): boolean {
  const own = path.reduce<FieldSet | undefined>((inner, step) => inner?.[step], fields)
  return isMap(map) && Object.keys(map).every((key) => own?.[`f:${key}`] !== undefined)
}

/** The API server does not store most empty maps, so a missing map counts too. */
function isEmptyMap(value: unknown): boolean {
  return value === undefined || (isMap(value) && Object.keys(value).length === 0)
}
