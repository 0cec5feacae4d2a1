/** The gateway by which a cluster is entered, and its address as other clusters and its own pods reach it. */
import { isIP } from 'node:net'
import { isReady, type Node, type Pod, type Service } from '../../cluster/objects.ts'
import { readable } from '../../cluster/reading.ts'
import { NODES, PODS, SERVICES } from '../../cluster/resources.ts'
import { UserError } from '../../errors.ts'
import { nodeAddress, outsidePort, serviceAddress } from '../../gateways/address.ts'
import { gatewayOf, type IngressGateway, portNumbered } from '../../gateways/find.ts'
import { variableOf } from '../../gateways/mesh-config.ts'
import { sh } from '../../shell.ts'
import type { Site } from './site.ts'

export interface Entrance {
  readonly gateway: IngressGateway
  /** Of its Service. */
  readonly port: number
  /** IP address or host name, and the port, from other clusters. */
  readonly outside: { readonly address: string; readonly port: number }
  /** The same for the cluster's own pods: they need no load balancer. */
  readonly inside: { readonly address: string; readonly port: number }
  /** `REGION/ZONE` of its nodes, otherwise the cluster's name. */
  readonly locality: string
  /** Whether a Gateway applies only to pods of its namespace. */
  readonly scoped: boolean
}

/** @throws UserError EXPORT_GATEWAY_GONE, EXPORT_WITHOUT_ADDRESS */
export async function readEntrance(site: Site): Promise<Entrance> {
  const { cluster, gateway: recorded, mesh } = site
  const { namespace, service: name, port } = recorded
  const [service, pods, services, nodes] = await Promise.all([
    cluster.get<Service>(SERVICES, { name, namespace }),
    cluster.list<Pod>(PODS, { namespace }),
    cluster.list<Service>(SERVICES, { namespace }),
    readable(cluster.list<Node>(NODES)),
  ])
  const gateway = service && gatewayOf(service, pods, services)
  if (service === undefined || gateway === undefined || portNumbered(service, port) === undefined) throw gone(site)
  const outside = outsideOf(gateway, nodes ?? [], site)
  const { clusterIP = '' } = service.spec
  return {
    gateway,
    port,
    outside,
    inside: isIP(clusterIP) === 0 ? outside : { address: clusterIP, port },
    locality: localityOf(gateway, nodes ?? []) ?? site.name,
    scoped: mesh.istiods.some(({ spec }) => /^(1|t|true)$/i.test(variableOf(spec.template, SCOPING))),
  }
}

const SCOPING = 'PILOT_SCOPE_GATEWAY_TO_NAMESPACE'

function outsideOf(gateway: IngressGateway, nodes: Node[], site: Site): Entrance['outside'] {
  const { port, address: named } = site.gateway
  if (named !== undefined) return { address: named.host, port: named.port }
  const found = serviceAddress(gateway) ?? nodeAddress(gateway, nodes)
  const reached = found && outsidePort(found, gateway.service, port)
  if (found !== undefined && reached !== undefined) return { address: found.address, port: reached }
  const { namespace, service } = site.gateway
  const message = `the gateway ${namespace}/${service} of cluster ${site.name} has no address by which other clusters reach its port ${port}`
  throw new UserError('EXPORT_WITHOUT_ADDRESS', message, {
    suggestions: [
      sh`kubectl telemetry multicluster connect --address ${`${site.name}=HOST:PORT`}   # beside the contexts`,
      sh`kubectl --context ${site.cluster.context} -n ${namespace} get service ${service}`,
    ],
  })
}

function gone(site: Site): UserError {
  const { namespace, service, port } = site.gateway
  const message = `the recorded gateway of cluster ${site.name}, Service ${namespace}/${service} with port ${port}, does not exist any more, or no gateway is behind it`
  return new UserError('EXPORT_GATEWAY_GONE', message, {
    suggestions: ['kubectl telemetry multicluster connect   # with the same contexts: it finds the gateway again'],
  })
}

/** @returns undefined where nodes have no region */
function localityOf({ pods }: IngressGateway, nodes: readonly Node[]): string | undefined {
  const names = new Set(pods.filter(isReady).map(({ spec }) => spec.nodeName))
  const labels = nodes.filter(({ metadata }) => names.has(metadata.name)).map(({ metadata }) => metadata.labels ?? {})
  const [region, zone] = ['region', 'zone'].map((one) => {
    const values = [...new Set(labels.map((each) => each[`topology.kubernetes.io/${one}`]))]
    return values.length === 1 ? values[0] : undefined
  })
  if (region === undefined || !/^[-.\w]{1,63}$/.test(region)) return undefined
  return zone !== undefined && /^[-.\w]{1,63}$/.test(zone) ? `${region}/${zone}` : region
}
