/** The addresses that a cluster gives to its own pods and Services: nothing outside of it answers there. */
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import type { Node, Service } from '../cluster/objects.ts'
import { listIfServed, readable } from '../cluster/reading.ts'
import { NODES, SERVICES } from '../cluster/resources.ts'
import { mapOf, textsOf } from '../shapes.ts'
import { isAmong } from './exporting/addresses.ts'

const SERVICE_RANGES: Resource = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'servicecidrs',
  kind: 'ServiceCIDR',
}

/**
 * Why a pod or a Service of a cluster may have an address, after "it is". Ranges that may not be read are not compared.
 * @param cluster one that remembers what it has read, for several addresses
 */
export async function whyInCluster(address: string, cluster: Cluster): Promise<string | undefined> {
  const [nodes, services, ranges] = await Promise.all([
    readable(cluster.list<Node>(NODES)),
    readable(cluster.list<Service>(SERVICES)),
    readable(listIfServed<KubeObject>(cluster, SERVICE_RANGES)),
  ])
  const ofPods = (nodes ?? []).flatMap(({ spec }) => textsOf(mapOf(spec).podCIDRs))
  if (isAmong(address, ofPods)) return 'in the range of pods'
  const ofServices = (ranges ?? []).flatMap(({ spec }) => textsOf(mapOf(spec).cidrs))
  const given = (services ?? []).flatMap(({ spec }) => [...textsOf(mapOf(spec).clusterIPs), spec.clusterIP ?? ''])
  return isAmong(address, [...ofServices, ...given]) ? 'in the range of Services' : undefined
}
