/** Reports where the add-ons run, where they are exposed, who may enter, for how long, and all problems. Changes nothing. */
import { viewOf } from '../access/guard.ts'
import { addressWarnings } from '../access/guard-plan.ts'
import { ADDON_NAMES } from '../addons/catalog.ts'
import { serviceNamed, titleOf } from '../addons/service-name.ts'
import { pathFindings, type SurveyedAddon, surveyAllAddons } from '../addons/survey.ts'
import { findHttpsGateways, type HttpsGateway } from '../certifying/https-gateways.ts'
import type { CertificateReport } from '../certifying/report.ts'
import { reportCertificates } from '../certifying/status.ts'
import { isReady, type Service } from '../cluster/objects.ts'
import { findIstioVersion, istioNotFound, readable, readServices, type Sifted } from '../cluster/reading.ts'
import { RememberingCluster } from '../cluster/remembering-cluster.ts'
import { describeExposed, type ExposedGateway } from '../exposing/exposed-gateways.ts'
import { probeExposed } from '../exposing/probe-exposed.ts'
import { clockFindings, termsIn } from '../exposing/terms.ts'
import { asFinding, distinct, type Finding } from '../findings.ts'
import { gatewayName, type IngressGateway } from '../gateways/find.ts'
import { leftoversIn } from '../gateways/leftovers.ts'
import { surveyExposed } from '../gateways/moved-addons.ts'
import { type OwnObjects, readOwnObjects } from '../gateways/own-objects.ts'
import type { Probe } from '../probing/prober.ts'
import { serverTime } from '../time/server-time.ts'
import type { Dependencies } from '../world.ts'
import { addonProblems, exposureProblems, serviceProblems, unread } from './problems.ts'
import type { AddonStatus, GatewayStatus, ServiceStatus, StatusReport } from './report.ts'

export interface StatusRequest {
  /** The namespace of the add-ons; all namespaces when left out. */
  namespace?: string | undefined
  /** `--ingress-ip`. */
  ingressAddress?: string | undefined
  /** Milliseconds: a certificate with less time left is a problem. */
  expiresIn: number
}

/** @throws UserError such as CLUSTER_UNREACHABLE; a missing permission is a problem in the report */
export async function status(request: StatusRequest, world: Dependencies): Promise<StatusReport> {
  const dependencies = { ...world, cluster: new RememberingCluster(world.cluster) }
  const { cluster } = dependencies
  const [version, services] = await Promise.all([findIstioVersion(cluster), readable(readServices(cluster))])
  if (services === undefined) return { ...emptyReport(cluster.context), problems: [notRead('Services')] }
  const [addons, { own, places }, secure] = await Promise.all([
    surveyAllAddons(services, request.namespace, cluster),
    readExposed(version, services, request, dependencies),
    version === undefined ? { ours: [], findings: [] } : readSecure(request, dependencies),
  ])
  const secretAt = ({ namespace }: ExposedGateway) => secure?.ours.find((one) => one.namespace === namespace)?.secret
  const routes = (places ?? []).flatMap((place) => place.routes)
  const [probes, certificates, exposedServices, addressFindings] = await Promise.all([
    Promise.all((places ?? []).map((place) => probeExposed(place, secretAt(place), dependencies))),
    reportCertificates(secure?.ours ?? [], request.expiresIn, dependencies),
    surveyExposed(routes, services, cluster),
    Promise.all(
      (places ?? []).map(({ gateway, guards = {} }) => (gateway ? addressWarnings(gateway, guards, cluster) : [])),
    ),
  ])
  const exposed = (places ?? []).flatMap((place, index) => exposedAddons(place, probes[index]?.probes ?? []))
  const isAddon = ({ name }: ExposedAddon) => serviceNamed(name) === undefined
  const statuses = joinStatuses(addons, exposed.filter(isAddon)).map((one) =>
    withCertificate(one, certificates.certificates),
  )
  const others = serviceStatuses(
    exposed.filter((one) => !isAddon(one)),
    exposedServices,
  ).map((one) => ({ ...withCertificate(one, certificates.certificates), namespace: one.namespace }))
  const [first] = places ?? []
  return {
    context: cluster.context,
    ...(first === undefined ? {} : { gateway: gatewayStatus(first) }),
    addons: statuses,
    services: others,
    // The certificates' findings name Gateways that the findings about all objects name, too.
    problems: distinct([
      ...(version === undefined ? [asFinding(istioNotFound(cluster), 'warns')] : []),
      ...(places === undefined ? [notRead('Gateways and VirtualServices')] : []),
      ...(own?.findings ?? []),
      ...(secure?.findings ?? [notRead('Secrets')]),
      ...(own === undefined ? [] : leftoversIn(own)),
      ...addonProblems(statuses),
      ...serviceProblems(others),
      ...pathFindings(addons),
      ...(places ?? []).flatMap((place) => exposureProblems(place, addons, serverTime(dependencies))),
      ...addressFindings.flat(),
      ...clockFindings(cluster.clockAhead),
      ...probes.flatMap(({ warnings }) => warnings),
      ...certificates.warnings,
    ]),
  }
}

function emptyReport(context: string): Omit<StatusReport, 'problems'> {
  return { context, addons: ADDON_NAMES.map((name) => ({ name, access: {} })), services: [] }
}

/** Either is `undefined` without the permission to read it. */
interface Exposed {
  own: OwnObjects | undefined
  places: ExposedGateway[] | undefined
}

async function readExposed(
  version: string | undefined,
  services: Service[],
  { ingressAddress: named }: StatusRequest,
  { cluster }: Dependencies,
): Promise<Exposed> {
  const own = await readable(readOwnObjects(version, undefined, cluster))
  if (version === undefined) return { own, places: [] }
  if (own?.virtualServices === undefined) return { own, places: undefined }
  return { own, places: await readable(describeExposed(own, { version, services, named }, cluster)) }
}

function readSecure(
  { ingressAddress }: StatusRequest,
  { cluster }: Dependencies,
): Promise<Sifted<HttpsGateway> | undefined> {
  return readable(findHttpsGateways({ ingressAddress }, cluster))
}

/** An add-on at a gateway. */
interface ExposedAddon extends Omit<AddonStatus, 'found'> {
  /** The namespace of its Service. */
  namespace: string
  service: string
  /** The TLS Secret of the gateway. */
  secret: string
}

function exposedAddons(place: ExposedGateway, probes: (Probe | undefined)[]): ExposedAddon[] {
  return place.routes.map(({ name: addon, backend, object }, index) => {
    const { anonymous, expiresAt } = termsIn(object)
    const guard = place.guards?.[addon]
    const probe = probes[index]
    return {
      name: addon,
      namespace: backend.namespace,
      service: backend.service,
      secret: `${place.namespace}/${place.secretName}`,
      exposure: {
        url: place.exposures[index]?.url ?? '',
        gateway: nameOf(place),
        ...(probe === undefined ? {} : { probe }),
      },
      access: {
        ...(guard === undefined ? {} : { guard: viewOf(guard) }),
        ...(anonymous === undefined ? {} : { anonymous: true }),
      },
      ...(expiresAt === undefined ? {} : { expiresAt }),
    }
  })
}

/** Found add-ons with their exposures, then exposures of deleted add-ons, then add-ons of the catalogue that were not found. */
function joinStatuses(addons: SurveyedAddon[], exposed: ExposedAddon[]): (AddonStatus & { secret?: string })[] {
  const rest = new Set(exposed)
  const found = addons.map((one) => {
    const status = addonStatus(one)
    const { namespace, service } = status.found
    const at = exposed.find(
      (other) => other.name === status.name && other.namespace === namespace && other.service === service,
    )
    if (at === undefined) return status
    rest.delete(at)
    const { namespace: _, service: __, access, ...exposure } = at
    return { ...status, ...exposure, access: { ...status.access, ...access } }
  })
  const gone = [...rest].map(({ namespace: _, service: __, ...one }) => one)
  const known = new Set([...found, ...gone].map(({ name }) => name))
  const missing = ADDON_NAMES.filter((name) => !known.has(name)).map((name) => ({ name, access: {} }))
  return [...found, ...gone, ...missing].sort((a, b) => ADDON_NAMES.indexOf(a.name) - ADDON_NAMES.indexOf(b.name))
}

/** Exposed Services, sorted by the names under which they are exposed. */
function serviceStatuses(exposed: ExposedAddon[], surveyed: SurveyedAddon[]): (ServiceStatus & { secret: string })[] {
  return exposed
    .toSorted((one, other) => one.name.localeCompare(other.name))
    .map(({ name, service: _, access, ...exposure }) => {
      // The route may lead to another one: commands about it take the namespace from its name.
      const { namespace = exposure.namespace } = serviceNamed(name) ?? {}
      const one = surveyed.find(({ found }) => found.addon.name === name)
      const status = one === undefined ? undefined : addonStatus(one)
      const found = status === undefined ? {} : { found: status.found }
      return {
        ...exposure,
        namespace,
        name: titleOf(name),
        ...found,
        access: { addon: { kind: 'unknown' }, ...access },
      }
    })
}

function addonStatus({
  found,
  access,
  visitor,
  pods,
}: SurveyedAddon): AddonStatus & Required<Pick<AddonStatus, 'found'>> {
  const { addon, namespace, service } = found
  return {
    name: addon.name,
    found: {
      title: addon.title,
      namespace,
      service: service.metadata.name,
      ...(pods === undefined ? {} : { ready: pods.filter(isReady).length, pods: pods.length }),
    },
    access: { addon: access, visitor },
  }
}

function withCertificate(
  { secret, ...status }: AddonStatus & { secret?: string },
  certificates: CertificateReport[],
): AddonStatus {
  const served = certificates.find((one) => secret !== undefined && one.secret === secret)
  if (served === undefined || !status.exposure?.url.startsWith('https:')) return status
  const { daysLeft, notAfter, trusted } = served
  const lasting = daysLeft === undefined || notAfter === undefined ? {} : { daysLeft, notAfter }
  return { ...status, certificate: { secret: served.secret, ...lasting, trusted } }
}

function gatewayStatus({ namespace, gateway, address }: ExposedGateway): GatewayStatus {
  return {
    namespace,
    ...(gateway === undefined ? {} : { service: gateway.service.metadata.name }),
    ...(address === undefined ? {} : { address: address.address, via: address.via }),
  }
}

function nameOf({ namespace, gateway }: { namespace: string; gateway?: IngressGateway }): string {
  return gateway === undefined ? namespace : gatewayName(gateway)
}

function notRead(what: string): Finding {
  return unread(`cannot read ${what}: missing permission`)
}
