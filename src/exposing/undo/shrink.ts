/** Takes hosts off what several add-ons share: the Gateway's list and the certificate's names. */
import { trustedWith } from '../../certificates/authority.ts'
import { requireCertificates } from '../../certifying/serving-certificate.ts'
import { type Change, planChanges } from '../../changes/changes.ts'
import type { KubeObject, ObjectName } from '../../cluster/cluster.ts'
import type { Secret, Service } from '../../cluster/objects.ts'
import { ownedLabels } from '../../cluster/ownership.ts'
import { gateways, SECRETS, SERVICES, typeOf, virtualServices } from '../../cluster/resources.ts'
import { UserError } from '../../errors.ts'
import { type ExposedRoute, exposedRoutes } from '../../gateways/exposed-routes.ts'
import { domainOf, serversIn } from '../../gateways/layout.ts'
import { type OwnPort, ownPorts } from '../../gateways/service-ports.ts'
import { GATEWAY_NAME, TLS_SECRET_NAME } from '../../manifests/names.ts'
import { servicePorts } from '../../manifests/service-ports.ts'
import { tlsSecret } from '../../manifests/tls-secret.ts'
import type { Dependencies, Warning } from '../../world.ts'

export interface Shrinking {
  /** What stops serving: a port of the Service, a host of the Gateway. */
  serving: Change[]
  secret: Change[]
  warnings: Warning[]
}

type Needs = Pick<Dependencies, 'cluster' | 'authorities' | 'clock' | 'random' | 'generateKey' | 'machine'>

/**
 * @param version of Istio's networking API
 * @param staying names of the VirtualServices that stay
 * @param services those with ports of ours
 */
export async function planShrinking(
  namespace: string,
  version: string,
  staying: string[],
  services: ObjectName[],
  dependencies: Needs,
): Promise<Shrinking> {
  const { cluster } = dependencies
  const [gateway, secret, all, ...withPorts] = await Promise.all([
    cluster.get(gateways(version), { name: GATEWAY_NAME, namespace }),
    cluster.get<Secret>(SECRETS, { name: TLS_SECRET_NAME, namespace }),
    cluster.list(virtualServices(version), { namespace }),
    ...services.map((service) => cluster.get<Service>(SERVICES, service)),
  ])
  const routes = exposedRoutes(all).filter(({ object }) => staying.includes(object.metadata.name))
  const hosts = [...new Set(routes.map(({ host }) => host))].sort()
  const domain = routes.map(domainOf).find((one) => one !== undefined)
  return {
    serving: [
      ...withPorts.flatMap((service) => (service === undefined ? [] : shrunkPorts(service, routes))),
      ...(gateway === undefined ? [] : shrunkGateway(gateway, version, routes)),
    ],
    ...(await reissued(namespace, domain, hosts, secret, dependencies)),
  }
}

function shrunkPorts(present: Service, routes: ExposedRoute[]): Change[] {
  return planOwnPorts(
    present,
    ownPorts(present).filter(({ port }) => routes.some((route) => route.port === port)),
  )
}

/** @param ports those of ours that stay; without any, all that we had applied is taken back, and the rest is left as it is */
export function planOwnPorts(present: Service, ports: OwnPort[]): Change[] {
  const { name, namespace = '' } = present.metadata
  return planChanges(
    [{ resource: SERVICES, manifest: servicePorts({ name, namespace }, ports), by: 'sharing' }],
    [present],
  )
}

/** The servers that are there, each less the hosts that no route needs any more; those without a host go. */
function shrunkGateway(present: KubeObject, version: string, routes: ExposedRoute[]): Change[] {
  const resource = gateways(version)
  const { namespace = '', name } = present.metadata
  const { selector } = present.spec as { selector: Record<string, string> }
  const servers = serversIn(present).flatMap((server) => {
    const isNeeded = (host: string) =>
      routes.some((route) => route.host === host && (route.port ?? server.port.number) === server.port.number)
    const hosts = server.hosts.filter(isNeeded)
    return hosts.length === 0 ? [] : [{ ...server, hosts }]
  })
  const metadata = { name, namespace, labels: ownedLabels() }
  const manifest = { ...typeOf(resource), metadata, spec: { selector, servers } }
  return planChanges([{ resource, manifest }], [present])
}

/** Only the machine that has the authority can reissue; elsewhere the certificate goes on with names that nothing serves. */
async function reissued(
  namespace: string,
  domain: string | undefined,
  hosts: string[],
  present: Secret | undefined,
  dependencies: Needs,
): Promise<Pick<Shrinking, 'secret' | 'warnings'>> {
  if (domain === undefined || present === undefined) return { secret: [], warnings: [] }
  try {
    if ((await dependencies.authorities.find(domain)) === undefined)
      return certificateKept(`the authority of ${domain} is not on this machine`)
    const { leaf, authority, signedOn } = await requireCertificates(domain, hosts, present, dependencies)
    const manifest = tlsSecret({ namespace, ...leaf, authorityCertificate: trustedWith(authority), signedOn })
    return { secret: planChanges([{ resource: SECRETS, manifest }], [present]), warnings: [] }
  } catch (error) {
    // An authority that is of no use must not keep an add-on exposed.
    if (error instanceof UserError && error.code.startsWith('AUTHORITY_')) return certificateKept(error.message)
    throw error
  }
}

function certificateKept(why: string): Pick<Shrinking, 'secret' | 'warnings'> {
  const remedy = 'harmless; run kubectl telemetry expose on the machine that has the authority to reissue it'
  return {
    secret: [],
    warnings: [{ code: 'CERTIFICATE_KEPT', message: `${why}, so the certificate keeps the names that went`, remedy }],
  }
}
