/** Removes hosts from the objects that several add-ons share: the list of the Gateway and the names of the certificate. */
import { serviceNamed } from '../../addons/service-name.ts'
import { trustBundle } from '../../certificates/authority.ts'
import { findHttpsGateways } from '../../certifying/https-gateways.ts'
import { requireCertificates } from '../../certifying/serving-certificate.ts'
import { requireSignable } from '../../certifying/signing.ts'
import { type Change, planChanges } from '../../changes/changes.ts'
import type { KubeObject, ObjectName } from '../../cluster/cluster.ts'
import type { Secret, Service } from '../../cluster/objects.ts'
import { EXPOSING, gatewayNotes, notesOf, ownedLabels } from '../../cluster/ownership.ts'
import { identify } from '../../cluster/reading.ts'
import { gateways, SECRETS, SERVICES, typeOf, virtualServices } from '../../cluster/resources.ts'
import type { Code } from '../../codes.ts'
import { hasCode } from '../../errors.ts'
import { type Finding, notes } from '../../findings.ts'
import { type ExposedRoute, exposedRoutes } from '../../gateways/exposed-routes.ts'
import { domainOf, isSecure, layoutInUse, serversIn, withoutVersions } from '../../gateways/layout.ts'
import { type AddedPort, addedPorts } from '../../gateways/service-ports.ts'
import { hostHere } from '../../manifests/gateway.ts'
import { GATEWAY_NAME, TLS_SECRET_NAME } from '../../manifests/names.ts'
import { servicePorts } from '../../manifests/service-ports.ts'
import { keyFor, tlsSecret } from '../../manifests/tls-secret.ts'
import type { Dependencies } from '../../world.ts'
import { hostsOf } from '../spec.ts'

export interface Shrinking {
  /** Changes that stop serving: a port of the Service, a host of the Gateway. */
  serving: Change[]
  secret: Change[]
  warnings: Finding[]
}

type Needs = Pick<Dependencies, 'cluster' | 'authorities' | 'clock' | 'random' | 'generateKey' | 'machine'>

/**
 * @param place the gateway's namespace, and the version of Istio's networking API
 * @param rest names of the VirtualServices that stay, and the Services with our ports
 */
export async function planShrinking(
  { namespace, version }: { namespace: string; version: string },
  { staying, services }: { staying: string[]; services: ObjectName[] },
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
  const inUse = layoutInUse(gateway) ?? { secure: true }
  const hosts = hostsOf(routes.filter((route) => isSecure(route, inUse))).sort()
  const domain = routes.map(domainOf).find((one) => one !== undefined)
  return {
    serving: [
      ...withPorts.flatMap((service) => (service === undefined ? [] : shrinkPorts(service, routes))),
      ...(gateway === undefined ? [] : shrinkGateway(gateway, version, routes)),
    ],
    ...(await reissue(namespace, { domain, hosts, present: secret }, dependencies)),
  }
}

function shrinkPorts(present: Service, routes: ExposedRoute[]): Change[] {
  return planOwnPorts(
    present,
    addedPorts(present).filter(({ port }) => routes.some((route) => route.port === port)),
  )
}

/** @param ports our ports that stay; if empty, all our ports are removed. The user's ports stay unchanged */
export function planOwnPorts(present: Service, ports: AddedPort[]): Change[] {
  const { name, namespace = '' } = present.metadata
  return planChanges(
    [{ resource: SERVICES, manifest: servicePorts({ name, namespace }, ports), by: 'sharing' }],
    [present],
    EXPOSING,
  )
}

/** The present servers without the hosts that no route needs any more; servers without a host are removed. */
function shrinkGateway(present: KubeObject, version: string, routes: ExposedRoute[]): Change[] {
  const resource = gateways(version)
  const { namespace = '', name } = present.metadata
  const { selector } = (present.spec ?? {}) as { selector: Record<string, string> }
  const servers = serversIn(present).flatMap((server) => {
    const { port, tls } = server
    const isNeeded = (host: string) =>
      routes.some(
        (route) => route.host === host && (tls?.httpsRedirect === true || (route.port ?? port.number) === port.number),
      )
    const hosts = server.hosts.filter(isNeeded)
    const names = routes.map(({ name }) => name)
    const shrunk = { ...server, hosts: hosts.map(hostHere), port: { ...port, name: withoutVersions(port.name, names) } }
    return hosts.length === 0 ? [] : [shrunk]
  })
  const { service, domain } = notesOf(present)
  const isOfService = routes.some(({ name }) => serviceNamed(name) !== undefined)
  const notes = gatewayNotes({ service, domain: isOfService ? domain : undefined })
  const metadata = { name, namespace, labels: ownedLabels(EXPOSING), ...notes }
  const manifest = { ...typeOf(resource), metadata, spec: { selector, servers } }
  return planChanges([{ resource, manifest }], [present], EXPOSING)
}

/** Why the CA of this machine cannot or must not sign. */
const UNUSABLE: Code[] = [
  'CA_ELSEWHERE',
  'CA_EXPIRED',
  'CA_UNREADABLE',
  'CA_NOT_FOR_GATEWAY',
  'FORBIDDEN',
  'NOT_OURS',
  'SECRET_NOT_OURS',
]

/** What will be exposed. */
interface Remaining {
  domain: string
  hosts: string[]
  present: Secret
}

/** The hosts come from the cluster, so the record of this machine decides whether its CA signs for them. */
async function requireSignableAt(
  namespace: string,
  { domain, hosts, present }: Remaining,
  needs: Needs,
): Promise<void> {
  const { ours } = await findHttpsGateways({ namespace }, needs.cluster)
  const { services = [] } = ours[0] ?? {}
  const gateway = { namespace, secretName: TLS_SECRET_NAME, secret: present, services, hosts, domain }
  await requireSignable(gateway, await identify(needs.cluster), needs)
}

/** Only the machine with the CA can reissue. On other machines the certificate keeps names that nothing serves. */
async function reissue(
  namespace: string,
  { domain, hosts, present }: { domain: string | undefined; hosts: string[]; present: Secret | undefined },
  dependencies: Needs,
): Promise<Pick<Shrinking, 'secret' | 'warnings'>> {
  if (domain === undefined || present === undefined || hosts.length === 0) return { secret: [], warnings: [] }
  try {
    if ((await dependencies.authorities.find(domain)) === undefined)
      return certificateKept(`the CA of ${domain} is not on this machine`)
    await requireSignableAt(namespace, { domain, hosts, present }, dependencies)
    const { leaf, authority, signedOn } = await requireCertificates({ domain, hosts, present }, dependencies)
    const manifest = tlsSecret({ namespace, ...leaf, authorityCertificate: trustBundle(authority), signedOn })
    const wanted = { resource: SECRETS, manifest, about: keyFor(hosts) }
    return { secret: planChanges([wanted], [present], EXPOSING), warnings: [] }
  } catch (error) {
    // An unusable CA must not keep an add-on exposed.
    if (hasCode(error, ...UNUSABLE)) return certificateKept(error.message)
    throw error
  }
}

function certificateKept(why: string): Pick<Shrinking, 'secret' | 'warnings'> {
  const remedy =
    'run kubectl telemetry expose on the machine that has the CA, to reissue the certificate; the present one keeps working'
  return {
    secret: [],
    warnings: [notes('CERTIFICATE_KEPT', `${why}, so the certificate keeps the names of the removed hosts`, remedy)],
  }
}
