/** Reads what configures the mesh of a gateway: its istiod, and the ConfigMaps that this istiod reads. */
import type { Cluster, ObjectName } from '../cluster/cluster.ts'
import type { ConfigMap, Pod } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { CONFIG_MAPS, PODS } from '../cluster/resources.ts'
import type { IngressGateway } from './find.ts'
import { mergedMesh, meshConfigMap } from './mesh.ts'

/**
 * The mesh configuration: `istio` or `istio-REVISION`, over the one that istiod shares with others, as AKS gives it to its users.
 * https://learn.microsoft.com/azure/aks/istio-meshconfig
 * @returns `undefined` if there is none, or without the permission to read it
 */
export async function readMeshConfig(
  gateway: Pick<IngressGateway, 'pods'>,
  cluster: Cluster,
): Promise<ConfigMap | undefined> {
  const own = meshConfigMap(gateway)
  const read = (name: string) => readable(cluster.get<ConfigMap>(CONFIG_MAPS, { ...own, name }))
  const [present, istiods] = await Promise.all([read(own.name), readIstiods(own, cluster)])
  const name = istiods.map((pod) => variableOf(pod, 'SHARED_MESH_CONFIG')).find((value) => value !== '')
  return mergedMesh(name === undefined ? undefined : await read(name), present)
}

/** The pods of the istiod that reads this ConfigMap; none without the permission to list them, or if it runs elsewhere. */
export async function readIstiods({ name, namespace }: Required<ObjectName>, cluster: Cluster): Promise<Pod[]> {
  const revision = name.replace(/^istio-?/, '') || 'default'
  const running = (await readable(cluster.list<Pod>(PODS, { namespace, labels: 'app=istiod' }))) ?? []
  return running.filter(({ metadata }) => (metadata.labels?.['istio.io/rev'] ?? 'default') === revision)
}

/** The value of an environment variable of a pod, or of a template of pods; empty where it has none. */
export function variableOf({ spec }: Pick<Pod, 'spec'>, name: string): string {
  const variables = spec.containers.flatMap(({ env = [] }) => env)
  return variables.find((one) => one.name === name)?.value ?? ''
}
