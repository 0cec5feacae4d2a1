/** The addresses that a cluster gives to its own pods and Services: nothing outside of it answers there. */
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import { isStaying, type Node, type Pod, type Service } from '../cluster/objects.ts'
import { listIfServed, readable } from '../cluster/reading.ts'
import { NODES, PODS, SERVICES } from '../cluster/resources.ts'
import { listOf, mapOf, textOf, textsOf } from '../shapes.ts'
import { isAmong } from './exporting/addresses.ts'

const SERVICE_RANGES: Resource = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'servicecidrs',
  kind: 'ServiceCIDR',
}

/**
 * Why a pod or a Service of a cluster has an address or may have it, after "it is". What may not be read is not compared. Where the network
 * plugin gives nodes no range, only the addresses that pods have are known.
 * @param cluster one that remembers what it has read, for several addresses
 */
export async function whyInCluster(address: string, cluster: Cluster): Promise<string | undefined> {
  const [nodes, pods, services, ranges] = await Promise.all([
    readable(cluster.list<Node>(NODES)),
    readable(cluster.list<Pod>(PODS)),
    readable(cluster.list<Service>(SERVICES)),
    readable(listIfServed<KubeObject>(cluster, SERVICE_RANGES)),
  ])
  const ofPods = (nodes ?? []).flatMap(({ spec }) => textsOf(mapOf(spec).podCIDRs))
  if (isAmong(address, ofPods)) return 'in the range of pods'
  if (isAmong(address, (pods ?? []).filter(isStaying).flatMap(addressesOf))) return 'the address of a pod'
  const ofServices = (ranges ?? []).flatMap(({ spec }) => textsOf(mapOf(spec).cidrs))
  const given = (services ?? []).flatMap(({ spec }) => [...textsOf(mapOf(spec).clusterIPs), spec.clusterIP ?? ''])
  return isAmong(address, [...ofServices, ...given]) ? 'in the range of Services' : undefined
}

/** A pod in the network of its node has the address of the node, by which others may well reach a gateway. */
function addressesOf({ spec, status }: Pod): string[] {
  const { podIP, podIPs } = mapOf(status)
  if (mapOf(spec).hostNetwork === true) return []
  return [podIP, ...listOf(podIPs).map((one) => mapOf(one).ip)].flatMap((one) => textOf(one) ?? [])
}
