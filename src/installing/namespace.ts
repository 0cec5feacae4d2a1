/** The namespaces that `addons install` created. */
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import { INSTALLING, isOwnedBy, OWNED } from '../cluster/ownership.ts'
import { readable } from '../cluster/reading.ts'
import { NAMESPACES } from '../cluster/resources.ts'

/** @param namespace only this one */
export async function findCreated(namespace: string | undefined, cluster: Cluster): Promise<KubeObject[]> {
  const found =
    namespace === undefined
      ? await readable(cluster.list(NAMESPACES, { labels: OWNED }))
      : [await readable(cluster.get(NAMESPACES, { name: namespace }))]
  return (found ?? []).filter((one) => one !== undefined).filter((one) => isOwnedBy(one, INSTALLING))
}
