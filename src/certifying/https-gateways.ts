/** The Gateways of kubectl telemetry that serve HTTPS: their Secrets, hosts and addresses. */
import { isDnsName } from '../certificates/names.ts'
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import { matchesSelector, type Secret, type Service } from '../cluster/objects.ts'
import { EXPOSING, notesOf } from '../cluster/ownership.ts'
import { findIstioVersion, listOwned, readServices, type Sifted, sift } from '../cluster/reading.ts'
import { RememberingCluster } from '../cluster/remembering-cluster.ts'
import { gateways, SECRETS } from '../cluster/resources.ts'
import { type IngressAddress, outsidePort } from '../gateways/address.ts'
import type { IngressGateway } from '../gateways/find.ts'
import { ANY_HOST, domainOfHosts, type ServerSpec, secretNameIn, serversIn } from '../gateways/layout.ts'
import { whyNotExposing } from '../gateways/made-by-exposing.ts'
import { gatewayNamespaces } from '../gateways/places.ts'
import { findGatewayBehind } from '../gateways/survey.ts'

export interface HttpsGateway {
  /** Of the Gateway, of its pods and of its Secret. */
  namespace: string
  secretName: string
  /** Undefined when the Secret does not exist. */
  secret: Secret | undefined
  /** `NAMESPACE/NAME` of each Service of the ingress gateway; none when no ingress gateway runs behind the Gateway. */
  services: string[]
  /** Its address outside the cluster. */
  address: IngressAddress | undefined
  /** Hosts of the Gateway's HTTPS servers, sorted. */
  hosts: string[]
  /** The domain that the hosts share. */
  domain: string | undefined
  /** The address of each host; empty when no address or port of the gateway is known. */
  targets: { host: string; address: string; port: number }[]
}

/** Selects Gateways of kubectl telemetry, and their address. */
export interface GatewayChoice {
  /** The namespace of the gateway; all namespaces when left out. */
  namespace?: string | undefined
  /** `--ingress-ip`. */
  ingressAddress?: string | undefined
}

/**
 * Sorted by namespace. Empty when nothing is exposed, or nothing over HTTPS. Gateways that only have our labels are findings, and nothing
 * else is read because of them.
 */
export async function findHttpsGateways(choice: GatewayChoice, outside: Cluster): Promise<Sifted<HttpsGateway>> {
  const cluster = new RememberingCluster(outside)
  const version = await findIstioVersion(cluster)
  if (version === undefined) return { ours: [], findings: [] }
  const claimed = await listOwned(cluster, gateways(version), EXPOSING, inNamespace(choice))
  const secure = claimed.filter((gateway) => httpsServers(gateway).length > 0)
  if (secure.length === 0) return { ours: [], findings: [] }
  const [services, places] = await Promise.all([readServices(cluster), gatewayNamespaces(secure, cluster)])
  const { ours, findings } = sift(
    secure,
    (gateway) => gateway,
    (gateway) => whyNotExposing(gateway, places),
  )
  const found = await Promise.all(ours.map((gateway) => surveyGateway(gateway, services, choice, cluster)))
  return { ours: found.sort((a, b) => a.namespace.localeCompare(b.namespace)), findings }
}

function inNamespace({ namespace }: GatewayChoice): { namespace?: string } {
  return namespace === undefined ? {} : { namespace }
}

function httpsServers(gateway: KubeObject): ServerSpec[] {
  return serversIn(gateway).filter(({ port }) => port.protocol === 'HTTPS')
}

async function surveyGateway(
  object: KubeObject,
  services: Service[],
  choice: GatewayChoice,
  cluster: Cluster,
): Promise<HttpsGateway> {
  const { namespace = '' } = object.metadata
  const servers = httpsServers(object)
  const secretName = secretNameIn(object) ?? ''
  const [secret, behind] = await Promise.all([
    isDnsName(secretName) ? cluster.get<Secret>(SECRETS, { name: secretName, namespace }) : undefined,
    findGatewayBehind(object, services, choice.ingressAddress, cluster),
  ])
  const hosts = [...new Set(servers.flatMap((server) => server.hosts))].filter((host) => host !== ANY_HOST).sort()
  const { address, gateway } = behind ?? {}
  return {
    namespace,
    secretName,
    secret,
    services: gateway === undefined ? [] : servicesOf(gateway, services),
    address,
    hosts,
    domain: domainOfHosts(hosts, notesOf(object).domain),
    targets: gateway === undefined || address === undefined ? [] : targetsOf(servers, gateway, address),
  }
}

function servicesOf({ namespace, pods }: IngressGateway, services: Service[]): string[] {
  return services
    .filter(
      ({ metadata, spec }) =>
        metadata.namespace === namespace && pods.some((pod) => matchesSelector(pod, spec.selector)),
    )
    .map(({ metadata }) => `${namespace}/${metadata.name}`)
}

/** One target for each host and port. In the layout `ports`, all ports serve the same certificate. */
function targetsOf(servers: ServerSpec[], gateway: IngressGateway, address: IngressAddress): HttpsGateway['targets'] {
  return servers.flatMap((server) => {
    const port = outsidePort(address, gateway.service, server.port.number)
    const names = server.hosts.filter((host) => host !== ANY_HOST)
    return port === undefined ? [] : names.map((host) => ({ host, address: address.address, port }))
  })
}
