/** The cases: one operation in a cluster in which one field that it reads is hostile. */
import { createHash } from 'node:crypto'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { isOptional, nameOf, shapeOf, valueAt, withValue } from './fields.ts'
import { type Hostile, hostileValues } from './hostile.ts'
import { OPERATIONS, type Operation } from './operations.ts'
import { FieldReads, type ReadField, recording } from './recording.ts'
import { type Scene, worldIn } from './scenes.ts'

export interface Case {
  operation: Operation
  scene: Scene
  field: ReadField
  /** Equal for fields that are read alike: indexes and names of objects do not matter. */
  alike: string
  hostile: Hostile
}

/** A clean run: the fields that it reads, and what it writes. */
export interface CleanRun {
  operation: Operation
  scene: Scene
  fields: ReadField[]
  writes: string[]
}

export async function cleanRuns(scenes: Scene[], only: (operation: Operation) => boolean): Promise<CleanRun[]> {
  const runs: CleanRun[] = []
  for (const operation of OPERATIONS.filter(only))
    for (const scene of scenes.filter(({ name }) => operation.scenes.includes(name))) {
      const reads = new FieldReads()
      const world = worldIn(scene)
      await operation.run({ ...world, cluster: recording(world.cluster, reads) })
      const writes = [...world.touched]
      runs.push({ operation, scene, fields: leaves([...reads.fields.values()]), writes })
    }
  return runs
}

/** Every place that is read: the maps and lists on the way, too. */
function leaves(fields: ReadField[]): ReadField[] {
  return fields
}

/** What an operation may write: in some clean cluster it, or another form of it, does so. */
export function allowedWrites(runs: CleanRun[]): (operation: Operation) => ReadonlySet<string> {
  const groups = Map.groupBy(runs, ({ operation }) => groupOf(operation))
  const sets = new Map([...groups].map(([name, some]) => [name, new Set(some.flatMap(({ writes }) => writes))]))
  return (operation) => sets.get(groupOf(operation)) ?? new Set()
}

/** Whether objects of users may keep it from writing some of its own. */
export function isObstructed({ name }: Operation): boolean {
  return name.startsWith('scrape-secure -') || name.startsWith('tracing on')
}

/** The wizard exposes. */
function groupOf({ name }: Operation): string {
  const word = name.split(' ')[0] ?? ''
  if (name.startsWith('scrape-secure status')) return 'status'
  return word === 'wizard' ? 'expose' : word
}

export function objectOf({ objects }: Scene, { kind, namespace, name }: ReadField): KubeObject | undefined {
  return objects.find(
    ({ kind: one, metadata }) => one === kind && metadata.namespace === namespace && metadata.name === name,
  )
}

/** A field that an operation reads in a scene, and the values that break it. */
export interface Place extends Omit<Case, 'hostile'> {
  values: Hostile[]
}

/** @param most objects with the same field */
export function placesOf({ operation, scene, fields }: CleanRun, most: number): Place[] {
  const seen = new Map<string, number>()
  return fields.flatMap((field) => {
    const object = objectOf(scene, field)
    if (object === undefined) return []
    const alike = `${field.kind} ${field.path.map((step) => (typeof step === 'number' ? '*' : step)).join('.')}`
    const times = (seen.get(alike) ?? 0) + 1
    seen.set(alike, times)
    if (times > most) return []
    const present = valueAt(object, field.path)
    const missing = present !== undefined && isOptional(field) ? MISSING : []
    return [
      { operation, scene, field, alike, values: [...hostileValues(shapeOf(field, present), present), ...missing] },
    ]
  })
}

const MISSING: Hostile[] = [{ what: 'missing', make: () => undefined }]

export function hostileObject({ scene, field, hostile }: Case): KubeObject {
  const object = objectOf(scene, field)
  if (object === undefined) throw new Error(`no ${nameOf(field)}`)
  return withValue(object, field.path, hostile.make())
}

/** A number that only depends on the text, for samples that are the same in every run. */
export function lot(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE()
}
