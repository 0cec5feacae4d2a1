/** Fields that Kubernetes never changes, such as a Deployment's selector: found in the rehearsal, and changed with `--replace`. */
import { type Change, planChanges, rehearse } from '../changes/changes.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { INSTALLING } from '../cluster/ownership.ts'
import { CLUSTER_ROLE_BINDINGS } from '../cluster/resources.ts'
import { hasCode, UserError } from '../errors.ts'
import { mapOf, textOf } from '../shapes.ts'
import { sh } from '../shell.ts'
import type { Clock } from '../time/clock.ts'
import { isGone } from './deleted.ts'
import { isWorkload } from './survey.ts'

/** https://github.com/kubernetes/kubernetes: pkg/apis/{apps,core,rbac}/validation. A StatefulSet, a Service and a binding have their own words. */
const IMMUTABLE =
  /field is immutable|updates to statefulset spec for fields other than|may not change once set|cannot change roleRef/

/** What the user has to know before the answer. */
export const LOSS = 'its pods stop, and what they keep outside of volume claims is lost'
const AGAIN = 'to be created again'

/**
 * As `rehearse`, but an object with a field that cannot be changed is deleted and created again, if that was asked for. Its creation cannot
 * be tried as long as it exists.
 * @returns for each change those to make: one, or a deletion and a creation
 * @throws UserError FIELD_IMMUTABLE, naming all such objects, ROLE_NOT_BINDABLE, and the API server's answer
 */
export async function rehearseReplacing(
  changes: readonly Change[],
  replace: boolean,
  cluster: Cluster,
): Promise<Map<Change, Change[]>> {
  const trying = await Promise.allSettled(changes.map((change) => unlessImmutable(change, cluster)))
  // In the order of the plan: the first refusal is the reason of others, as a role is for its binding.
  const tried = trying.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
  const refused = changes.filter((_, index) => tried[index] === undefined)
  if (refused.length > 0 && !replace) throw immutable(refused)
  return new Map(changes.map((change, index) => [change, tried[index] ?? replacing(change)]))
}

/** @returns undefined if the API server would never change the present object in this way */
async function unlessImmutable(change: Change, cluster: Cluster): Promise<Change[] | undefined> {
  try {
    return await rehearse(cluster, [change])
  } catch (error) {
    if (change.present !== undefined && hasCode(error, 'REJECTED') && IMMUTABLE.test(error.message)) return undefined
    if (change.resource === CLUSTER_ROLE_BINDINGS && hasCode(error, 'NOT_FOUND')) throw unbindable(change)
    throw error
  }
}

/** In a rehearsal the role does not exist yet. The API server only looks at it for a user who may not bind it anyway. */
function unbindable({ manifest: { metadata, roleRef } }: Change): UserError {
  const role = textOf(mapOf(roleRef).name) ?? ''
  const message = `nothing was changed: ClusterRoleBinding ${metadata.name} needs the right to bind ClusterRole ${role}`
  return new UserError('ROLE_NOT_BINDABLE', message, {
    suggestions: [sh`kubectl auth can-i bind clusterroles/${role}   # see docs/rbac.md`],
  })
}

function immutable(refused: readonly Change[]): UserError {
  const names = refused.map(({ manifest: { kind, metadata } }) => `${kind} ${metadata.name}`).join(', ')
  const message = `nothing was changed: Kubernetes does not change some fields of an existing object, and the sample has others for ${names}`
  return new UserError('FIELD_IMMUTABLE', message, {
    suggestions: ['--replace   # deletes these objects and creates them again; the data of their pods is lost'],
  })
}

function replacing({ present, ...change }: Change): Change[] {
  if (present === undefined) return [{ ...change, present }]
  const { resource } = change
  const deletion = planChanges(
    [{ resource, manifest: present, by: 'removing', about: isWorkload(present) ? `${AGAIN}: ${LOSS}` : AGAIN }],
    [present],
    INSTALLING,
  )
  return [...deletion, { ...change, present: undefined, action: 'created' }]
}

/** Whether an object is deleted in order to be created again. */
export function isReplaced({ by, manifest }: Change, changes: readonly Change[]): boolean {
  const { kind, metadata } = manifest
  return (
    by === 'removing' &&
    changes.some(
      (other) =>
        other.action === 'created' && other.manifest.kind === kind && other.manifest.metadata.name === metadata.name,
    )
  )
}

/** Waits as long as a finalizer may need. If it still holds the object, the API server says so at the next write. */
export async function awaitDeleted({ resource, manifest }: Change, cluster: Cluster, clock: Clock): Promise<void> {
  await isGone({ resource, object: manifest }, cluster, clock)
}
