/** Removes exactly what carries our label, and looks again. It finds everything in the cluster, so any machine can do it. */
import { type Cluster, type KubeObject, kindName, type Resource } from '../cluster/cluster.ts'
import { OWNED } from '../cluster/ownership.ts'
import { gateways, ISTIO_NETWORKING, ISTIO_VERSIONS, SECRETS, virtualServices } from '../cluster/resources.ts'
import { halfDone, UserError } from '../errors.ts'
import type { Dependencies } from './dependencies.ts'

export interface CleanupRequest {
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
}

export interface RemovedObject {
  kind: string
  group: string
  namespace: string
  name: string
}

export interface CleanupResult {
  outcome: 'planned' | 'declined' | 'applied'
  deleted: RemovedObject[]
  /** Ours, and still there: somebody makes them anew, or a finalizer holds them. */
  remaining: RemovedObject[]
}

interface Owned {
  resource: Resource
  object: KubeObject
}

/** @throws UserError CONSENT_REQUIRED, FORBIDDEN */
export async function cleanup(
  { yes, dryRun }: CleanupRequest,
  { cluster, terminal }: Pick<Dependencies, 'cluster' | 'terminal'>,
): Promise<CleanupResult> {
  const owned = await findOwned(cluster)
  const planned = owned.map(nameOf)
  if (owned.length === 0) return { outcome: dryRun === 'none' ? 'applied' : 'planned', deleted: [], remaining: [] }
  if (dryRun === 'server')
    await Promise.all(owned.map(({ resource, object }) => cluster.delete(resource, object, { dryRun: true })))
  if (dryRun !== 'none') return { outcome: 'planned', deleted: planned, remaining: [] }
  if (!yes) {
    if (!terminal.interactive) {
      throw new UserError(
        'CONSENT_REQUIRED',
        `${owned.length} objects would be deleted, and there is no terminal to ask on`,
        {
          suggestions: ['-y', '--dry-run=client   # shows them'],
        },
      )
    }
    for (const { kind, namespace, name } of planned) terminal.note(`  ${kind} ${namespace}/${name}`)
    if (!(await terminal.confirm(`Delete these ${owned.length} objects?`)))
      return { outcome: 'declined', deleted: [], remaining: planned }
  }
  await deleteAll(cluster, owned)
  return { outcome: 'applied', deleted: planned, remaining: (await findOwned(cluster)).map(nameOf) }
}

/** In order: what serves goes first, so that no host is served with half of its objects. */
async function deleteAll(cluster: Cluster, owned: Owned[]): Promise<void> {
  for (const [index, { resource, object }] of owned.entries()) {
    try {
      await cluster.delete(resource, object)
    } catch (error) {
      const done = owned.slice(0, index).map(({ resource, object }) => `${kindName(resource)}/${object.metadata.name}`)
      throw halfDone(error, `deleted before that: ${done.join(', ')}`, done.length > 0)
    }
  }
}

/** Everything of ours, in the order in which it is removed: the Gateway, its routes, the TLS Secret (without its data). */
async function findOwned(cluster: Cluster): Promise<Owned[]> {
  const served = await cluster.servedVersions(ISTIO_NETWORKING)
  const version = ISTIO_VERSIONS.find((known) => served.includes(known))
  const kinds = [...(version === undefined ? [] : [gateways(version), virtualServices(version)]), SECRETS]
  const lists = await Promise.all(
    kinds.map((resource) => cluster.list(resource, { labels: OWNED, metadataOnly: true })),
  )
  return kinds.flatMap((resource, index) => (lists[index] ?? []).map((object) => ({ resource, object })))
}

function nameOf({ resource, object }: Owned): RemovedObject {
  const { name, namespace = '' } = object.metadata
  return { kind: resource.kind, group: resource.group, namespace, name }
}

/** Whether the exit code is 0: nothing was declined, and nothing of ours is left. */
export function succeeded({ outcome, remaining }: CleanupResult): boolean {
  return outcome !== 'declined' && remaining.length === 0
}
