/** Applies fields to a user's object. Force is used only in one case: see empty-maps.ts. */
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import { hasCode } from '../errors.ts'
import { type LostMaps, lostMaps, recordedMaps, withMaps, withoutRecord, withRecord } from './empty-maps.ts'
import { persistently } from './persistently.ts'

export interface SharedApply {
  resource: Resource
  /** The fields that we add. */
  manifest: KubeObject
  manager: string
  /** The object as it was read. */
  present: KubeObject | undefined
}

/**
 * @returns the object with the fields, as the API server answered
 * @throws UserError FIELD_CONFLICT if other managers own any of the fields, except empty maps to which keys are added
 */
export async function applyShared(cluster: Cluster, shared: SharedApply, dryRun: boolean): Promise<KubeObject> {
  const { resource, manifest, manager } = shared
  return persistently(async (attempt) => {
    const present = attempt === 0 ? shared.present : await cluster.get(resource, manifest.metadata)
    // This comes before the apply, which removes the record.
    if (!dryRun && present !== undefined) await returnMaps(cluster, resource, present, recordedMaps(present, manager))
    try {
      return await cluster.apply(resource, manifest, { dryRun, manager })
    } catch (error) {
      if (!hasCode(error, 'FIELD_CONFLICT')) throw error
      return addToEmptyMaps(cluster, shared, dryRun, error)
    }
  })
}

/** A dry run shows what the forced apply would do; both are for the same version of the object. */
async function addToEmptyMaps(
  cluster: Cluster,
  { resource, manifest, manager }: SharedApply,
  dryRun: boolean,
  conflict: unknown,
): Promise<KubeObject> {
  const present = await cluster.get(resource, manifest.metadata)
  if (present === undefined) throw conflict
  const force = { manager, force: true }
  const tried = await cluster.apply(resource, withRecord(manifest, present, []), { ...force, dryRun: true })
  const lost = lostMaps(present, tried, manager)
  if (lost === undefined) throw conflict
  if (dryRun) return withoutRecord(tried)
  const made = await cluster.apply(resource, withRecord(manifest, present, lost), force)
  await returnMaps(cluster, resource, made, lost)
  // Removes the record.
  await cluster.apply(resource, manifest, { manager })
  return withoutRecord(made)
}

async function returnMaps(cluster: Cluster, resource: Resource, object: KubeObject, lost: LostMaps): Promise<void> {
  if (lost.length === 0) return
  await persistently(async (attempt) => {
    const present = attempt === 0 ? object : await cluster.get(resource, object.metadata)
    const managedFields = present && withMaps(present, lost)
    if (managedFields !== undefined) await cluster.setManagedFields(resource, present as KubeObject, managedFields)
  })
}
