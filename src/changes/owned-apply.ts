/** Applies our own objects, and only to the object that was looked at: one that somebody makes in between is refused and not merged. */
import type { Cluster, KubeObject, Resource, WriteOptions } from '../cluster/cluster.ts'
import { type Part, requireOwned } from '../cluster/ownership.ts'
import { persistently } from './persistently.ts'

export interface OwnedApply {
  resource: Resource
  manifest: KubeObject
  part: Part
  /** The object as it was read. */
  present: KubeObject | undefined
}

/** No object has this version, so an apply with it creates the object or is a conflict (seen for Secrets and for Istio's kinds). */
const ONLY_CREATE = '1'

/**
 * Another run of ours may have created the object in between; then it is ours, and the apply is repeated for it.
 * @throws UserError NOT_OURS if something else has created it
 */
export async function applyOwned(
  cluster: Cluster,
  { resource, manifest, part, present: known }: OwnedApply,
  options: WriteOptions,
): Promise<KubeObject> {
  return persistently(async (attempt) => {
    const present = attempt === 0 ? known : await cluster.get(resource, manifest.metadata)
    requireOwned(resource, present, part)
    return cluster.apply(resource, onlyTo(present, manifest), options)
  })
}

/** The uid keeps the object apart from one that has its name later; its version may change, since other runs and controllers write too. */
function onlyTo(present: KubeObject | undefined, manifest: KubeObject): KubeObject {
  // A manifest with a uid is only for that object, whoever has made another one since.
  const { uid = present?.metadata.uid } = manifest.metadata
  const only = present === undefined ? { resourceVersion: ONLY_CREATE } : uid === undefined ? {} : { uid }
  return { ...manifest, metadata: { ...manifest.metadata, ...only } }
}
