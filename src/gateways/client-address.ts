/** Whether the gateway sees the address of the client itself: pure. An allow list is of no use where it does not. */
import { gatewayName, type IngressGateway } from './find.ts'

export interface HiddenAddress {
  /** What is in the way. */
  message: string
  /** What to set. */
  remedy: string
}

const PROXIES =
  'meshConfig.defaultConfig.gatewayTopology.numTrustedProxies: 1   # as many as append to X-Forwarded-For; or PROXY protocol at both ends'

/**
 * https://istio.io/latest/docs/tasks/security/authorization/authz-ingress/#source-ip-address-of-the-original-client
 * @param trustedProxies how many the mesh trusts to tell the client's address (X-Forwarded-For)
 */
export function hiddenAddress(gateway: IngressGateway, trustedProxies: number): HiddenAddress | undefined {
  const { service } = gateway
  if (trustedProxies > 0) return undefined
  const name = `Service ${gatewayName(gateway)}`
  const balancers = service.status?.loadBalancer?.ingress ?? []
  if (balancers.some(({ ipMode }) => ipMode === 'Proxy'))
    return { message: `the load balancer of ${name} is a proxy, whose address the gateway sees`, remedy: PROXIES }
  if (service.spec.type !== 'ClusterIP' && service.spec.externalTrafficPolicy !== 'Local') {
    const patch = `kubectl -n ${gateway.namespace} patch service ${service.metadata.name} -p '{"spec":{"externalTrafficPolicy":"Local"}}'`
    return {
      message: `${name} has externalTrafficPolicy: Cluster, so nodes put their own address in place of the client's`,
      remedy: `${patch}   # then only nodes that run the gateway take its traffic`,
    }
  }
  if (balancers.some(({ ip, hostname }) => ip === undefined && hostname !== undefined))
    return {
      message: `the load balancer of ${name} may be a proxy, whose address the gateway then sees`,
      remedy: PROXIES,
    }
  return undefined
}
