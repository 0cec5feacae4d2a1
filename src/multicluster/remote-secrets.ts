/** Meshes that are joined in Istio's other way: each istiod has credentials for the API servers of other clusters. */
import type { Cluster } from '../cluster/cluster.ts'
import { isStaying } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { SECRETS } from '../cluster/resources.ts'
import type { Mesh } from './mesh.ts'

/** `istioctl create-remote-secret` sets it, and istiod reads each Secret that has it (pkg/kube/multicluster). */
export const REMOTE = 'istio/multiCluster=true'

/**
 * Names of the Secrets with credentials of other clusters. Their contents are not read.
 * @returns nothing also where Secrets may not be listed
 */
export async function findRemoteSecrets({ namespace }: Mesh, cluster: Cluster): Promise<string[]> {
  const listed = await readable(cluster.list(SECRETS, { namespace, labels: REMOTE, metadataOnly: true }))
  return (listed ?? [])
    .filter(isStaying)
    .map(({ metadata }) => metadata.name)
    .sort()
}
