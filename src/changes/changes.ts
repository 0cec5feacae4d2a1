/** A plan's changes: rehearsed on the API server (right, webhooks, conflicts), then made. */
import { isDeepStrictEqual } from 'node:util'
import { type Cluster, type KubeObject, kindName, type Resource } from '../cluster/cluster.ts'
import { requireOwned, withoutApplied } from '../cluster/ownership.ts'
import { UserError } from '../errors.ts'
import type { Progress } from './progress.ts'

export type Action = 'created' | 'configured' | 'unchanged' | 'deleted'

/**
 * `owning`: the object is ours, and the manifest is all of it. `sharing`: it is somebody else's, and the manifest has the fields that
 * we add. `replacing`: it is somebody else's, and the manifest is all of it, as it was read but for what we change. `removing`: it
 * is ours, as it was read, and goes.
 */
export type WritingBy = 'owning' | 'sharing' | 'replacing' | 'removing'

/** A manifest, and how it is written. */
export interface Wanted {
  resource: Resource
  manifest: KubeObject
  /** `owning` when left out. */
  by?: WritingBy
  /** Of shared fields; ours when left out. */
  manager?: string
  /** What it is for, where that is more than a change. */
  saying?: 'restart'
}

/** One object as we want it, and as it is. */
export interface Change {
  resource: Resource
  manifest: KubeObject
  by: WritingBy
  manager?: string | undefined
  saying: 'restart' | undefined
  present: KubeObject | undefined
  /** As it will be: what the API server said in the rehearsal. */
  after?: KubeObject
  action: Action
}

/** What is changed where; the names are kubectl's. */
export interface ObjectOutcome {
  kind: string
  group: string
  namespace: string
  name: string
  action: Action
}

/**
 * What becomes of each manifest, as far as that can be told without the server's help.
 * @param present what is there; anybody's
 * @throws UserError NOT_OURS when an object of a manifest's name is somebody else's
 */
export function planChanges(wanted: Wanted[], present: KubeObject[]): Change[] {
  return wanted.map(({ resource, manifest, by = 'owning', manager, saying }) => {
    const { name, namespace } = manifest.metadata
    const before = present.find(
      ({ kind, metadata }) => kind === manifest.kind && metadata.name === name && metadata.namespace === namespace,
    )
    if (by === 'owning') requireOwned(resource, before)
    return { resource, manifest, by, manager, saying, present: before, action: estimate(manifest, before, by) }
  })
}

function estimate(manifest: KubeObject, present: KubeObject | undefined, by: WritingBy): Action {
  if (by === 'removing') return 'deleted'
  if (present === undefined) return 'created'
  // Of somebody else's object only the API server knows what applying less of it takes away.
  return by !== 'sharing' && contains(present, manifest) ? 'unchanged' : 'configured'
}

/** Whether all that was planned is there already, as far as that can be told by reading alone. */
export function isThere({ manifest, present, by }: Change): boolean {
  return present !== undefined && contains(present, manifest, by === 'sharing' ? 'among others' : 'whole')
}

/**
 * Lets the API server try every change without keeping it: authorization, validation, webhooks and conflicts are found before
 * the first write.
 */
export async function rehearse(cluster: Cluster, changes: Change[]): Promise<Change[]> {
  return Promise.all(
    changes.map(async (change) => {
      const after = await write(cluster, change, true)
      if (after === undefined) return change
      requireAsPlanned(change, after)
      return { ...change, after, action: actionOf(change.present, after) }
    }),
  )
}

/**
 * Makes the changes one after the other, in the plan's order.
 * @param progress told of each one
 * @returns them with the objects as they are now
 */
export async function applyChanges(cluster: Cluster, changes: Change[], progress: Progress): Promise<Change[]> {
  const applied: Change[] = []
  for (const change of changes) {
    if (change.action === 'unchanged') {
      applied.push(change)
      continue
    }
    const after = await write(cluster, change, false)
    if (after === undefined) {
      progress.deleted(label(change))
      applied.push(change)
      continue
    }
    progress.changed(label(change))
    requireAsPlanned(change, after)
    applied.push({ ...change, after })
  }
  return applied
}

/** @returns the object as it is then; nothing when it is gone */
async function write(
  cluster: Cluster,
  { resource, manifest, by, manager }: Change,
  dryRun: boolean,
): Promise<KubeObject | undefined> {
  if (by === 'removing') {
    await cluster.delete(resource, manifest, { dryRun })
    return undefined
  }
  return by === 'replacing'
    ? cluster.replace(resource, manifest, { dryRun })
    : cluster.apply(resource, manifest, { dryRun, manager })
}

/** A webhook may change what we write, and an apply of a part must not touch the rest: what came back is compared, not believed. */
function requireAsPlanned(change: Change, after: KubeObject): void {
  const { manifest, by } = change
  const { resourceVersion: _r, managedFields: _m, generation: _g, ...metadata } = manifest.metadata
  const { status: _s, ...rest } = manifest
  if (by === 'sharing' ? keepsTheRest(change, after) : contains(after, { ...rest, metadata })) return
  throw new UserError(
    'CHANGED_ON_WRITE',
    `${label(change)} is not as we wrote it: something in the cluster changed it on the way in`,
    {
      suggestions: ['kubectl get mutatingwebhookconfigurations'],
    },
  )
}

function keepsTheRest({ manifest, manager, present }: Change, after: KubeObject): boolean {
  const { metadata: _, ...ours } = manifest
  const rest = (object: KubeObject | undefined) => object && substance(withoutApplied(object, manager))
  return isDeepStrictEqual(rest(present), rest(after)) && contains(after, ours, 'among others')
}

/** An object as it is and as it will be, for people to compare. */
export interface Comparison {
  name: string
  before: KubeObject | undefined
  after: KubeObject | undefined
}

/** As the API server said it in the rehearsal; without one, the fields of the manifest alone. */
export function comparisonOf(change: Change): Comparison {
  const { manifest, present, after, by } = change
  const name = `${label(change)} in namespace ${manifest.metadata.namespace}`
  if (by === 'removing') return { name, before: present, after: undefined }
  return after === undefined
    ? { name, before: present && (part(present, manifest) as KubeObject), after: manifest }
    : { name, before: present, after: withoutProposals(after, present, manifest) }
}

/** The API server's dry run proposes node ports that it would not give (32769); those that are not there and not asked for are left out. */
function withoutProposals(after: KubeObject, present: KubeObject | undefined, manifest: KubeObject): KubeObject {
  const ports = portsIn(after)
  if (after.kind !== 'Service' || ports.length === 0) return after
  const known = [...portsIn(present), ...portsIn(manifest)].map(({ nodePort }) => nodePort)
  const kept = ports.map(({ nodePort, ...port }) => (known.includes(nodePort) ? { ...port, nodePort } : port))
  return { ...after, spec: { ...(after.spec as object), ports: kept } }
}

function portsIn(object: KubeObject | undefined): { nodePort?: number }[] {
  return ((object?.spec ?? {}) as { ports?: { nodePort?: number }[] }).ports ?? []
}

/** The fields of `whole` that `like` has too; lists whole. */
function part(whole: unknown, like: unknown): unknown {
  if (Array.isArray(like) || typeof like !== 'object' || like === null) return whole
  if (typeof whole !== 'object' || whole === null || Array.isArray(whole)) return whole
  const fields = Object.keys(like).filter((name) => name in whole)
  return Object.fromEntries(
    fields.map((name) => [name, part(whole[name as keyof typeof whole], like[name as keyof typeof like])]),
  )
}

export function outcomeOf({ resource, manifest, action }: Change): ObjectOutcome {
  const { name, namespace = '' } = manifest.metadata
  return { kind: resource.kind, group: resource.group, namespace, name, action }
}

function label({ resource, manifest }: Change): string {
  return `${kindName(resource)}/${manifest.metadata.name}`
}

function actionOf(present: KubeObject | undefined, after: KubeObject): Action {
  if (present === undefined) return 'created'
  return isDeepStrictEqual(substance(present), substance(after)) ? 'unchanged' : 'configured'
}

/** An object less what the API server counts and times, and less its status. */
function substance({ status: _, ...object }: KubeObject): unknown {
  const { managedFields: _m, resourceVersion: _r, generation: _g, ...metadata } = object.metadata
  return { ...object, metadata }
}

/** Whether everything in `part` is in `whole`. Lists have to be of the same length, or are looked for among others' items. */
function contains(whole: unknown, part: unknown, lists: 'whole' | 'among others' = 'whole'): boolean {
  if (Array.isArray(part)) {
    if (!Array.isArray(whole)) return false
    if (lists === 'among others') return part.every((item) => whole.some((one) => contains(one, item, lists)))
    return whole.length === part.length && part.every((item, index) => contains(whole[index], item))
  }
  if (typeof part === 'object' && part !== null) {
    if (typeof whole !== 'object' || whole === null) return false
    return Object.entries(part).every(([name, value]) =>
      contains((whole as Record<string, unknown>)[name], value, lists),
    )
  }
  return isDeepStrictEqual(whole, part)
}
