/** The Gateways of ours that serve HTTPS: with which Secret, for which hosts, and where they are reached. */
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import type { Secret, Service } from '../cluster/objects.ts'
import { OWNED, requireOwned } from '../cluster/ownership.ts'
import { findIstioVersion, readServices } from '../cluster/reading.ts'
import { gateways, SECRETS, virtualServices } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { outsidePort } from '../gateways/address.ts'
import { exposedRoutes } from '../gateways/exposed-routes.ts'
import { domainOf, serversIn } from '../gateways/layout.ts'
import { findGatewayBehind } from '../gateways/survey.ts'
import { TLS_SECRET_NAME } from '../manifests/names.ts'

export interface HttpsGateway {
  /** Of the Gateway, of its pods and of its Secret. */
  namespace: string
  secretName: string
  /** Left out when the Secret is not there. */
  secret: Secret | undefined
  /** Those of the Gateway's HTTPS servers, sorted. */
  hosts: string[]
  /** The domain that the hosts share. */
  domain: string | undefined
  /** Where each host is asked for; empty when no address or port of the gateway is known. */
  targets: { host: string; address: string; port: number }[]
}

/** Which of our Gateways are meant, and how they are reached. */
export interface GatewayChoice {
  /** The gateway's; every namespace when left out. */
  namespace?: string | undefined
  /** `--ingress-ip`. */
  ingressAddress?: string | undefined
}

/** Sorted by namespace. Empty when nothing is exposed, or nothing by HTTPS. */
export async function findHttpsGateways(choice: GatewayChoice, cluster: Cluster): Promise<HttpsGateway[]> {
  const version = await findIstioVersion(cluster)
  if (version === undefined) return []
  const own = await cluster.list(gateways(version), { labels: OWNED, ...inNamespace(choice) })
  const secure = own.filter((gateway) => httpsServers(gateway).length > 0)
  if (secure.length === 0) return []
  const services = await readServices(cluster)
  const found = await Promise.all(secure.map((gateway) => surveyGateway(gateway, version, services, choice, cluster)))
  return found.sort((a, b) => a.namespace.localeCompare(b.namespace))
}

function inNamespace({ namespace }: GatewayChoice): { namespace?: string } {
  return namespace === undefined ? {} : { namespace }
}

function httpsServers(gateway: KubeObject): ReturnType<typeof serversIn> {
  return serversIn(gateway).filter(({ port }) => port.protocol === 'HTTPS')
}

async function surveyGateway(
  object: KubeObject,
  version: string,
  services: Service[],
  choice: GatewayChoice,
  cluster: Cluster,
): Promise<HttpsGateway> {
  const { namespace = '' } = object.metadata
  const servers = httpsServers(object)
  const secretName = servers.map(({ tls }) => tls?.credentialName).find((name) => typeof name === 'string') ?? ''
  const [secret, routes, targets] = await Promise.all([
    cluster.get<Secret>(SECRETS, { name: secretName, namespace }),
    cluster.list(virtualServices(version), { namespace }).then(exposedRoutes),
    targetsOf(object, services, choice, cluster),
  ])
  const hosts = [...new Set(servers.flatMap((server) => server.hosts))].sort()
  const domain = routes.map(domainOf).find((one) => one !== undefined)
  return { namespace, secretName, secret, hosts, domain, targets }
}

/** One for each host: in the layout `ports` all of them are on one, and each port serves the same certificate. */
async function targetsOf(
  object: KubeObject,
  services: Service[],
  { ingressAddress }: GatewayChoice,
  cluster: Cluster,
): Promise<HttpsGateway['targets']> {
  const behind = await findGatewayBehind(object, services, ingressAddress, cluster)
  if (behind?.address === undefined) return []
  const { address, gateway } = behind
  return httpsServers(object).flatMap(({ hosts, port: { number } }) => {
    const port = outsidePort(address, gateway.service, number)
    return port === undefined ? [] : hosts.map((host) => ({ host, address: address.address, port }))
  })
}

/**
 * A Secret whose content we make.
 * @returns the domain of its hosts
 * @throws UserError NOT_OURS
 */
export function requireOwnSecret({ namespace, secretName, secret, domain }: HttpsGateway): string {
  requireOwned(SECRETS, secret)
  if (domain !== undefined && secretName === TLS_SECRET_NAME) return domain
  throw new UserError('NOT_OURS', `Secret ${namespace}/${secretName} was not made by kubectl telemetry`, {
    suggestions: ['replace what it holds with the tool that made it; the gateway then serves that'],
  })
}
