/** The changes of a plan: rehearsed on the API server (permissions, webhooks, conflicts), then applied. */
import { isDeepStrictEqual } from 'node:util'
import { type Cluster, type KubeObject, kindName, type Resource } from '../cluster/cluster.ts'
import { type Part, requireOwned, takenOver, withoutApplied } from '../cluster/ownership.ts'
import { UserError } from '../errors.ts'
import { applyOwned } from './owned-apply.ts'
import type { Progress } from './progress.ts'
import { applyShared } from './shared-apply.ts'

export type Action = 'created' | 'configured' | 'unchanged' | 'deleted'

/**
 * `owning`: kubectl telemetry created the object, and the manifest is all of it. `sharing`: it is the user's, and the manifest contains
 * only the fields that we add. `replacing`: it is the user's, and the manifest is the whole object as it was read, with our changes.
 * `removing`: we created it, and delete it; the manifest is the object as it was read.
 */
export type WritingBy = 'owning' | 'sharing' | 'replacing' | 'removing'

/** A manifest, and how it is written. */
export interface Wanted {
  resource: Resource
  manifest: KubeObject
  /** Left out: `owning`. */
  by?: WritingBy
  /** Whether the change restarts the pods of the object. */
  restarts?: boolean
  /** What a user has to know about it before the answer: `with a key for grafana.example.com`. */
  about?: string
  /** Whether webhooks may change it (they replace registries of images), and the API server may write values in another form. */
  tolerant?: boolean
}

/** One wanted object, and the present one. */
export interface Change {
  resource: Resource
  manifest: KubeObject
  by: WritingBy
  /** The part that changes it. */
  part: Part
  restarts: boolean
  about?: string
  tolerant?: boolean
  present: KubeObject | undefined
  /** The result in the rehearsal, as the API server returned it. */
  after?: KubeObject
  action: Action
}

/** What happens to one object; kind and group as kubectl names them. */
export interface ObjectOutcome {
  kind: string
  group: string
  namespace: string
  name: string
  action: Action
}

/**
 * Plans the change for each manifest. The actions are estimates until the rehearsal.
 * @param present the present objects, the user's and ours
 * @throws UserError NOT_OURS if an object with a manifest's name was created by something else
 */
export function planChanges(wanted: Wanted[], present: readonly KubeObject[], part: Part): Change[] {
  return wanted.map(({ resource, manifest, by = 'owning', restarts = false, ...rest }) => {
    const { name, namespace } = manifest.metadata
    const before = present.find(
      ({ kind, metadata }) => kind === manifest.kind && metadata.name === name && metadata.namespace === namespace,
    )
    if (by === 'owning') requireOwned(resource, before, part)
    return { resource, manifest, by, part, restarts, ...rest, present: before, action: estimate(manifest, before, by) }
  })
}

function estimate(manifest: KubeObject, present: KubeObject | undefined, by: WritingBy): Action {
  if (by === 'removing') return 'deleted'
  if (present === undefined) return 'created'
  // For a user's object only the API server knows which fields an apply of fewer fields removes.
  return by !== 'sharing' && contains(present, manifest) ? 'unchanged' : 'configured'
}

/** Whether two changes are of one object. */
export function isOfSameObject(one: Pick<Change, 'manifest'>, other: Pick<Change, 'manifest'>): boolean {
  const { kind, metadata } = one.manifest
  return kind === other.manifest.kind && metadata.name === other.manifest.metadata.name
}

/** What a question says about a change, after the verb. */
export function aboutIt({ about }: Pick<Change, 'about'>): string {
  return about === undefined ? '' : `, ${about}`
}

/** A line of a question: `Secret istio-system/web-tls: create`. */
export function lineOf(change: Change): string {
  const { resource, manifest, action } = change
  const { namespace, name } = manifest.metadata
  const path = namespace === undefined ? name : `${namespace}/${name}`
  const verb = { created: 'create', deleted: 'delete', configured: 'change', unchanged: 'change' }[action]
  return `${resource.kind} ${path}: ${verb}${aboutIt(change)}`
}

/** Whether the present object already contains the manifest, as far as reading shows. */
export function isInPlace({ manifest, present, by }: Change): boolean {
  if (by === 'removing') return false
  return present !== undefined && contains(present, manifest, by === 'sharing' ? 'among others' : 'whole')
}

/**
 * Sends every change as a dry run to the API server: missing permissions, invalid fields, webhooks and conflicts are found before the
 * first write.
 */
export async function rehearse(cluster: Cluster, changes: readonly Change[]): Promise<Change[]> {
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
 * Applies the changes one after the other, in the order of the plan.
 * @param progress records each change
 * @returns the changes with the new objects
 */
export async function applyChanges(
  cluster: Cluster,
  changes: readonly Change[],
  progress: Progress,
): Promise<Change[]> {
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

/** @returns the new object; undefined if it was deleted */
async function write(cluster: Cluster, change: Change, dryRun: boolean): Promise<KubeObject | undefined> {
  const { resource, manifest, by, part, present } = change
  if (by === 'removing') {
    await cluster.delete(resource, manifest, { dryRun })
    return undefined
  }
  const { manager } = part
  if (by === 'replacing') return cluster.replace(resource, manifest, { dryRun, manager })
  const former = present && takenOver(present, part) && part.formerManager(present.kind)
  // A rehearsal changes nothing, so the fields are still those of the former manager: it meets the same conflicts.
  const rehearsing = dryRun ? (former ?? manager) : manager
  if (former !== undefined && !dryRun) await takeOver(cluster, resource, manifest, part)
  return by === 'sharing'
    ? applyShared(cluster, { resource, manifest, manager: rehearsing, present }, dryRun)
    : applyOwned(cluster, change, { dryRun, manager: rehearsing })
}

/** Transfers the fields that an earlier version applied to the manager of the part. Otherwise they would conflict, and would stay after the part drops them. */
async function takeOver(cluster: Cluster, resource: Resource, { metadata }: KubeObject, part: Part): Promise<void> {
  const present = await cluster.get(resource, metadata)
  const managedFields = present && takenOver(present, part)
  if (managedFields !== undefined) await cluster.setManagedFields(resource, present as KubeObject, managedFields)
}

/** Compares the answer with the plan: a webhook may change what we write, and an apply of some fields must not change the others. */
function requireAsPlanned(change: Change, after: KubeObject): void {
  const { manifest, by, tolerant } = change
  if (tolerant) return
  if (by === 'sharing' ? keepsTheRest(change, after) : contains(after, substance(manifest))) return
  throw new UserError(
    'CHANGED_ON_WRITE',
    `${label(change)} differs from what was requested: a webhook or another controller changed it`,
    {
      suggestions: ['kubectl get mutatingwebhookconfigurations   # one of them may change it'],
    },
  )
}

function keepsTheRest({ manifest, part, present }: Change, after: KubeObject): boolean {
  const { metadata: _, ...fields } = manifest
  const rest = (object: KubeObject | undefined) => object && substance(withoutApplied(object, part))
  return isDeepStrictEqual(rest(present), rest(after)) && contains(after, fields, 'among others')
}

/** An object before and after a change, for `--diff`. */
export interface Comparison {
  name: string
  before: KubeObject | undefined
  after: KubeObject | undefined
}

/** After a rehearsal the whole objects; without one only the fields of the manifest. */
export function comparisonOf(change: Change): Comparison {
  const { manifest, present, after, by } = change
  const { namespace } = manifest.metadata
  const name = namespace === undefined ? label(change) : `${label(change)} in namespace ${namespace}`
  if (by === 'removing') return { name, before: present, after: undefined }
  return after === undefined
    ? { name, before: present && (part(present, manifest) as KubeObject), after: manifest }
    : { name, before: present, after: withoutProposals(after, present, manifest) }
}

/** Leaves out node ports that only the dry run proposes (32769): a real write would assign others. */
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

/** The fields of `whole` that `like` has too; lists stay whole. */
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

/** In this annotation the API server counts the changes of a DaemonSet's pod template, like a second `generation`. */
const DAEMON_SET_COUNTER = 'deprecated.daemonset.template.generation'

/** An object without its status and without the counters and times that the API server writes. */
function substance({ status: _, ...object }: KubeObject): unknown {
  const { managedFields: _m, resourceVersion: _r, generation: _g, annotations, ...metadata } = object.metadata
  const { [DAEMON_SET_COUNTER]: _c, ...kept } = annotations ?? {}
  return { ...object, metadata: Object.keys(kept).length === 0 ? metadata : { ...metadata, annotations: kept } }
}

/** Whether `whole` contains all of `part`. Lists must have the same length, or (`among others`) `whole` may have more items. */
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
