/** Namespaces that a part creates, and deletes again if nothing else came into them. */
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import { isStaying } from '../cluster/objects.ts'
import type { Part } from '../cluster/ownership.ts'
import { listIfServed, readable } from '../cluster/reading.ts'
import { NAMESPACES, typeOf } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { type Finding, notes } from '../findings.ts'
import { listOf, mapOf, textOf } from '../shapes.ts'
import { sh } from '../shell.ts'
import { type Change, planChanges } from './changes.ts'

/**
 * The change that creates a namespace. Without the permission to read it, its objects show whether it exists.
 * @returns undefined if it exists
 * @throws UserError NAMESPACE_ENDING
 */
export async function planNamespace(
  name: string,
  { part, labels }: { part: Part; labels: Record<string, string> },
  cluster: Cluster,
): Promise<Change | undefined> {
  const found = await readable(cluster.get(NAMESPACES, { name }).then((object) => ({ object })))
  if (found === undefined) return undefined
  if (found.object !== undefined) return requireStaying(found.object)
  const manifest = { ...typeOf(NAMESPACES), metadata: { name, labels } }
  return planChanges([{ resource: NAMESPACES, manifest, tolerant: true }], [], part)[0]
}

function requireStaying(namespace: KubeObject): undefined {
  if (isStaying(namespace)) return
  const { name } = namespace.metadata
  throw new UserError('NAMESPACE_ENDING', `namespace ${name} is being deleted`, {
    suggestions: [sh`kubectl wait --for=delete namespace/${name}   # then run the command again`],
  })
}

/** Kinds whose objects follow others, or that are only measured. */
const DERIVED = ['endpoints', 'endpointslices', 'events', 'controllerrevisions', 'replicasets']
const MEASURED = 'metrics.k8s.io'
/** Kubernetes and Istio put them into every namespace. */
const EVERYWHERE = [
  'ConfigMap/kube-root-ca.crt',
  'ConfigMap/istio-ca-root-cert',
  'ConfigMap/istio-ca-crl',
  'ServiceAccount/default',
]
/** How many objects a message names. */
const NAMED = 3

/**
 * Looks at every kind directly before the deletion: deleting a namespace deletes whatever is in it.
 * @param besides objects that are deleted before it: `Secret/cacerts`
 * @returns why it stays; undefined if nothing else is in it
 */
export async function whyNamespaceStays(
  { metadata: { name } }: KubeObject,
  cluster: Cluster,
  besides: readonly string[] = [],
): Promise<Finding | undefined> {
  const kinds = await cluster.namespacedKinds().catch(unknownOf)
  const looked = kinds?.filter(({ group, plural }) => group !== MEASURED && !DERIVED.includes(plural))
  const lists = await Promise.all(
    (looked ?? []).map((resource) =>
      listIfServed(cluster, resource, { namespace: name, metadataOnly: true }).catch(unknownOf),
    ),
  )
  const unread = looked?.filter((_, index) => lists[index] === undefined)
  if (unread === undefined || unread.length > 0) {
    const what = unread?.map(({ plural }) => plural).join(', ') ?? 'the kinds of objects in it'
    return kept(name, `it is not known what is in it, because the API server did not list ${what}`)
  }
  const others = (looked ?? []).flatMap((resource, index) =>
    (lists[index] ?? [])
      .filter((object) => isOther(resource, object) && !besides.includes(`${resource.kind}/${object.metadata.name}`))
      .map((one) => `${resource.kind} ${one.metadata.name}`),
  )
  if (others.length === 0) return undefined
  const more = others.length > NAMED ? ` and ${others.length - NAMED} more` : ''
  return kept(name, `something else is in it: ${others.slice(0, NAMED).join(', ')}${more}`)
}

/** Without the right, or when an aggregated API does not answer, it is not known what is there. */
function unknownOf(error: unknown): undefined {
  if (!(error instanceof UserError)) throw error
}

function isOther({ kind }: Resource, object: KubeObject): boolean {
  return isStaying(object) && !EVERYWHERE.includes(`${kind}/${object.metadata.name}`) && !isFollowing(object)
}

/** Pods end after their Deployment is gone. What follows an object that stays is not needed to see that something is in the namespace. */
function isFollowing({ metadata: { ownerReferences } }: KubeObject): boolean {
  return listOf(ownerReferences).some((owner) => {
    const { apiVersion, controller } = mapOf(owner)
    return controller === true && ['v1', 'apps/v1'].includes(textOf(apiVersion) ?? '')
  })
}

function kept(name: string, why: string): Finding {
  return notes(
    'NAMESPACE_KEPT',
    `namespace ${name} stays: ${why}`,
    sh`kubectl delete namespace ${name}   # and everything in it`,
  )
}
