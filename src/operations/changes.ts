/** A plan's changes: rehearsed on the API server (right, webhooks, conflicts), then made. */
import { isDeepStrictEqual } from 'node:util'
import { type Cluster, type KubeObject, kindName, type Resource } from '../cluster/cluster.ts'
import { requireOwned } from '../cluster/ownership.ts'
import { halfDone, UserError } from '../errors.ts'

export type Action = 'created' | 'configured' | 'unchanged'

/** One object as we want it, and as it is. */
export interface Change {
  resource: Resource
  manifest: KubeObject
  present: KubeObject | undefined
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
export function planChanges(wanted: { resource: Resource; manifest: KubeObject }[], present: KubeObject[]): Change[] {
  return wanted.map(({ resource, manifest }) => {
    const { name, namespace } = manifest.metadata
    const before = present.find(
      ({ kind, metadata }) => kind === manifest.kind && metadata.name === name && metadata.namespace === namespace,
    )
    requireOwned(resource, before)
    return { resource, manifest, present: before, action: estimate(manifest, before) }
  })
}

function estimate(manifest: KubeObject, present: KubeObject | undefined): Action {
  if (present === undefined) return 'created'
  return contains(present, manifest) ? 'unchanged' : 'configured'
}

/**
 * Lets the API server try every change without keeping it: authorization, validation, webhooks and conflicts are found before
 * the first write.
 */
export async function rehearse(cluster: Cluster, changes: Change[]): Promise<Change[]> {
  return Promise.all(
    changes.map(async (change) => {
      const after = await cluster.apply(change.resource, change.manifest, { dryRun: true })
      return { ...change, action: actionOf(change.present, after) }
    }),
  )
}

/**
 * Makes the changes one after the other, in the plan's order.
 * @throws UserError with what had been changed by then, when one of them fails
 */
export async function applyChanges(cluster: Cluster, changes: Change[]): Promise<void> {
  const done: Change[] = []
  for (const change of changes) {
    if (change.action === 'unchanged') continue
    try {
      const after = await cluster.apply(change.resource, change.manifest)
      if (!contains(after, change.manifest)) {
        throw new UserError(
          'CHANGED_ON_WRITE',
          `${label(change)} is not as we wrote it: something in the cluster changed it on the way in`,
          {
            suggestions: ['kubectl get mutatingwebhookconfigurations'],
          },
        )
      }
    } catch (error) {
      throw halfDone(error, `changed before that: ${done.map(label).join(', ')}`, done.length > 0, [
        'kubectl telemetry cleanup   # to undo it',
      ])
    }
    done.push(change)
  }
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

/** An object less what the API server counts and times. */
function substance(object: KubeObject): unknown {
  const { managedFields: _m, resourceVersion: _r, generation: _g, ...metadata } = object.metadata
  return { ...object, metadata }
}

/** Whether everything in `part` is in `whole`; lists have to be of the same length. */
function contains(whole: unknown, part: unknown): boolean {
  if (Array.isArray(part)) {
    return (
      Array.isArray(whole) && whole.length === part.length && part.every((item, index) => contains(whole[index], item))
    )
  }
  if (typeof part === 'object' && part !== null) {
    if (typeof whole !== 'object' || whole === null) return false
    return Object.entries(part).every(([name, value]) => contains((whole as Record<string, unknown>)[name], value))
  }
  return isDeepStrictEqual(whole, part)
}
