/** Pure: whether the gateway sees the client's own address. Without it an allow list has no effect. */

import { sh } from '../shell.ts'
import { gatewayName, type IngressGateway } from './find.ts'

export interface HiddenAddress {
  /** Why the address is hidden. */
  message: string
  /** Setting that shows the address. */
  remedy: string
}

const PROXIES =
  'meshConfig.defaultConfig.gatewayTopology.numTrustedProxies: 1   # the number of proxies that append to X-Forwarded-For; or use the PROXY protocol'

/**
 * https://istio.io/latest/docs/tasks/security/authorization/authz-ingress/#source-ip-address-of-the-original-client
 * @param trustedProxies number of proxies whose X-Forwarded-For the mesh trusts
 */
export function hiddenAddress(gateway: IngressGateway, trustedProxies: number): HiddenAddress | undefined {
  const { service } = gateway
  if (trustedProxies > 0) return undefined
  const name = `Service ${gatewayName(gateway)}`
  const balancers = service.status?.loadBalancer?.ingress ?? []
  if (balancers.some(({ ipMode }) => ipMode === 'Proxy'))
    return {
      message: `the load balancer of ${name} is a proxy, so the gateway sees its address instead of the client's`,
      remedy: PROXIES,
    }
  if (service.spec.type !== 'ClusterIP' && service.spec.externalTrafficPolicy !== 'Local') {
    const patch = sh`kubectl -n ${gateway.namespace} patch service ${service.metadata.name} -p '{"spec":{"externalTrafficPolicy":"Local"}}'`
    return {
      message: `${name} has externalTrafficPolicy: Cluster, so nodes replace the client's address with their own`,
      remedy: `${patch}   # then only nodes with a gateway pod accept its traffic`,
    }
  }
  if (balancers.some(({ ip, hostname }) => ip === undefined && hostname !== undefined))
    return {
      message: `the load balancer of ${name} may be a proxy; then the gateway sees its address instead of the client's`,
      remedy: PROXIES,
    }
  return undefined
}
