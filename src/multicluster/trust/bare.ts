/** What `connect --certificates-only` has made in a cluster without Istio, and how it goes again. */
import { applyChanges, type Change, planChanges } from '../../changes/changes.ts'
import { whyNamespaceStays } from '../../changes/namespaces.ts'
import type { Cluster, KubeObject, Resource } from '../../cluster/cluster.ts'
import { isStaying } from '../../cluster/objects.ts'
import { CONNECTING, isOwnedBy } from '../../cluster/ownership.ts'
import { readable } from '../../cluster/reading.ts'
import { CONFIG_MAPS, NAMESPACES, SECRETS } from '../../cluster/resources.ts'
import type { Finding } from '../../findings.ts'
import { sh } from '../../shell.ts'
import type { ClusterProgress } from '../members.ts'
import { isInstalled } from '../mesh.ts'
import { findRecordObject } from '../record.ts'
import type { ClusterReading } from './trust-run.ts'

/** What goes: `cacerts`, then the namespace if nothing else is in it. The record goes with the gateway's port. */
export interface Bare {
  readonly deletions: readonly Change[]
  /** Why the namespace that we created is not deleted. */
  readonly kept: readonly Finding[]
}

/** @returns nothing to do where Istio is installed */
export async function planBare({ name, member: { cluster }, mesh, reading }: ClusterReading): Promise<Bare> {
  if (isInstalled(mesh)) return { deletions: [], kept: [] }
  const { plugged } = reading.secrets
  const [record, namespace] = await Promise.all([
    findRecordObject(mesh, cluster),
    readable(cluster.get(NAMESPACES, { name: mesh.namespace })),
  ])
  const secrets = ours(plugged).flatMap((one) => deletionOf(SECRETS, one))
  const going = [...ours(plugged).map(nameIn(SECRETS)), ...ours(record).map(nameIn(CONFIG_MAPS))]
  const [created] = ours(namespace).filter(isStaying)
  if (created === undefined) return { deletions: secrets, kept: [] }
  const why = await whyNamespaceStays(created, cluster, going)
  return why === undefined
    ? { deletions: [...secrets, ...deletionOf(NAMESPACES, created)], kept: [] }
    : { deletions: secrets, kept: [keptIn(why, name, created, cluster)] }
}

/** The command must not delete the namespace of the current context. */
function keptIn(why: Finding, name: string, { metadata }: KubeObject, { context }: Cluster): Finding {
  const remedy = sh`kubectl --context ${context} delete namespace ${metadata.name}   # and everything in it`
  return { ...why, message: `cluster ${name}: ${why.message}`, remedies: [remedy] }
}

function ours(object: KubeObject | undefined): KubeObject[] {
  return object !== undefined && isOwnedBy(object, CONNECTING) ? [object] : []
}

function nameIn({ kind }: Resource): (object: KubeObject) => string {
  return ({ metadata }) => `${kind}/${metadata.name}`
}

/** The change that deletes an object of ours. @param object as it was read */
export function deletionOf(resource: Resource, object: KubeObject): Change[] {
  return planChanges([{ resource, manifest: object, by: 'removing' }], [object], CONNECTING)
}

/** Looks once more into the namespace: something may have come into it. */
export async function removeBare(
  { deletions }: Bare,
  { member: { cluster } }: Pick<ClusterReading, 'member'>,
  progress: ClusterProgress,
): Promise<void> {
  for (const one of deletions) {
    const isKept = one.resource === NAMESPACES && (await whyNamespaceStays(one.manifest, cluster)) !== undefined
    if (!isKept) await applyChanges(cluster, [one], progress)
  }
}
