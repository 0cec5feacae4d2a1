/** In which namespaces an ingress gateway runs. Envoy uses only Secrets of its own namespace, so our objects are in such a namespace. */
import type { Cluster } from '../cluster/cluster.ts'
import { matchesSelector, type Pod, type Service } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { PODS, SERVICES } from '../cluster/resources.ts'
import { isGatewayPod, leadsFromOutside } from './find.ts'
import type { GatewayNamespaces } from './made-by-exposing.ts'

/** Namespaces whose pods are listed one by one; for more of them, all pods are listed at once. */
const FEW = 5

/** @returns those of the namespaces in which an ingress gateway runs; `undefined` without the permission to list pods */
export async function gatewayNamespaces(
  objects: readonly { metadata: { namespace?: string } }[],
  cluster: Cluster,
): Promise<GatewayNamespaces> {
  const names = [...new Set(objects.map(({ metadata: { namespace = '' } }) => namespace))]
  const places = names.length > FEW ? [{}] : names.map((namespace) => ({ namespace }))
  const lists = await readable(Promise.all(places.map((place) => cluster.list<Pod>(PODS, place))))
  if (lists === undefined) return undefined
  const pods = Map.groupBy(lists.flat(), ({ metadata: { namespace = '' } }) => namespace)
  const running = names.filter((name) => pods.get(name)?.some(isGatewayPod))
  const others = names.filter((name) => !running.includes(name))
  const stopped = others.length === 0 ? [] : await stoppedGateways(others, pods, cluster)
  return new Set([...running, ...stopped])
}

/** A gateway that is scaled to zero still has its Service. */
async function stoppedGateways(names: string[], pods: Map<string, Pod[]>, cluster: Cluster): Promise<string[]> {
  const services = (await readable(cluster.list<Service>(SERVICES))) ?? []
  return names.filter((name) =>
    services.some(
      (service) =>
        service.metadata.namespace === name &&
        service.spec.selector !== undefined &&
        leadsFromOutside(service) &&
        !pods.get(name)?.some((pod) => matchesSelector(pod, service.spec.selector)),
    ),
  )
}
