/** How everything is: where the add-ons run, where they are exposed, who may enter, for how long, and what is wrong. Changes nothing. */
import { type GuardView, viewOf } from '../access/guard.ts'
import { addressWarnings } from '../access/guard-plan.ts'
import { ADDON_NAMES } from '../addons/catalog.ts'
import type { AddonAccess } from '../addons/configuration.ts'
import { type SurveyedAddon, surveyAllAddons } from '../addons/survey.ts'
import { findHttpsGateways, type HttpsGateway } from '../certifying/https-gateways.ts'
import type { CertificateReport } from '../certifying/report.ts'
import { reportCertificates } from '../certifying/status.ts'
import { isReady, type Service } from '../cluster/objects.ts'
import { findIstioVersion, readable, readServices } from '../cluster/reading.ts'
import { type ExposedGateway, findExposedGateways } from '../exposing/exposed-gateways.ts'
import { probeExposed } from '../exposing/probe-exposed.ts'
import { termsIn } from '../exposing/terms.ts'
import type { IngressAddress } from '../gateways/address.ts'
import { gatewayName, type IngressGateway } from '../gateways/find.ts'
import type { Probe } from '../probing/prober.ts'
import type { Dependencies, Warning } from '../world.ts'
import { addonProblems, exposureProblems } from './problems.ts'

export interface StatusRequest {
  /** The add-ons'; every namespace when left out. */
  namespace?: string | undefined
  /** `--ingress-ip`. */
  ingressAddress?: string | undefined
  /** Milliseconds: a certificate with less time left is a problem. */
  expiresIn: number
}

/** The ingress gateway at which add-ons are exposed. */
export interface GatewayStatus {
  namespace: string
  /** Left out when no Service leads to it. */
  service?: string
  address?: string
  via?: IngressAddress['via']
}

export interface AddonStatus {
  name: string
  /** Where it runs; left out when it was not found. `ready` and `pods` are left out when pods may not be read. */
  found?: { title: string; namespace: string; service: string; ready?: number; pods?: number }
  /** Left out when it is not exposed. */
  exposure?: { url: string; gateway: string; probe?: Probe }
  /** Whom the add-on itself lets in and what they could do there, and whom the gateway lets in. */
  access: { addon?: AddonAccess; visitor?: string; guard?: GuardView; anonymous?: true }
  /** Of the gateway that serves it. */
  certificate?: Pick<CertificateReport, 'secret' | 'daysLeft' | 'notAfter' | 'trusted'>
  /** RFC 3339. */
  expiresAt?: string
}

/** The contract of `status -o json`. */
export interface StatusReport {
  context: string
  gateway?: GatewayStatus
  addons: AddonStatus[]
  problems: Warning[]
}

/** @throws UserError CLUSTER_UNREACHABLE and the like; what may not be read is a problem of the report */
export async function status(request: StatusRequest, dependencies: Dependencies): Promise<StatusReport> {
  const { cluster } = dependencies
  const [version, services] = await Promise.all([findIstioVersion(cluster), readable(readServices(cluster))])
  if (services === undefined) return { ...nothing(cluster.context), problems: [unread('Services')] }
  const [addons, places, secure] = await Promise.all([
    surveyAllAddons(services, request.namespace, cluster),
    version === undefined ? [] : readExposed(version, services, request, dependencies),
    version === undefined ? [] : readSecure(request, dependencies),
  ])
  const secretAt = ({ namespace }: ExposedGateway) => secure?.find((one) => one.namespace === namespace)?.secret
  const [probes, certificates, hidden] = await Promise.all([
    Promise.all((places ?? []).map((place) => probeExposed(place, secretAt(place), dependencies))),
    reportCertificates(secure ?? [], request.expiresIn, dependencies),
    Promise.all(
      (places ?? []).map(({ gateway, guards = {} }) => (gateway ? addressWarnings(gateway, guards, cluster) : [])),
    ),
  ])
  const exposed = (places ?? []).flatMap((place, index) => exposedAddons(place, probes[index]?.probes ?? []))
  const statuses = joined(addons, exposed).map((one) => withCertificate(one, certificates.certificates))
  const [first] = places ?? []
  return {
    context: cluster.context,
    ...(first === undefined ? {} : { gateway: gatewayStatus(first) }),
    addons: statuses,
    problems: [
      ...(version === undefined ? [noIstio()] : []),
      ...(places === undefined ? [unread('Gateways and VirtualServices')] : []),
      ...(secure === undefined ? [unread('Secrets')] : []),
      ...addonProblems(statuses),
      ...(places ?? []).flatMap((place) => exposureProblems(place, addons, dependencies.clock.now())),
      ...hidden.flat(),
      ...probes.flatMap(({ warnings }) => warnings),
      ...certificates.warnings,
    ],
  }
}

function nothing(context: string): Omit<StatusReport, 'problems'> {
  return { context, addons: ADDON_NAMES.map((name) => ({ name, access: {} })) }
}

function readExposed(
  version: string,
  services: Service[],
  { ingressAddress }: StatusRequest,
  { cluster }: Dependencies,
): Promise<ExposedGateway[] | undefined> {
  return readable(findExposedGateways(version, services, ingressAddress, cluster))
}

function readSecure({ ingressAddress }: StatusRequest, { cluster }: Dependencies): Promise<HttpsGateway[] | undefined> {
  return readable(findHttpsGateways({ ingressAddress }, cluster))
}

/** An add-on at a gateway. */
interface ExposedAddon extends Omit<AddonStatus, 'found'> {
  /** Where its Service is. */
  namespace: string
  service: string
  /** The gateway's. */
  secret: string
}

function exposedAddons(place: ExposedGateway, probes: (Probe | undefined)[]): ExposedAddon[] {
  return place.routes.map(({ addon, backend, object }, index) => {
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
      access: { ...(guard === undefined ? {} : { guard: viewOf(guard) }), ...(anonymous ? { anonymous } : {}) },
      ...(expiresAt === undefined ? {} : { expiresAt }),
    }
  })
}

/** Each add-on with its exposure, then exposures of what is gone, then those of the catalogue that were not found. */
function joined(addons: SurveyedAddon[], exposed: ExposedAddon[]): (AddonStatus & { secret?: string })[] {
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

function unread(what: string): Warning {
  return {
    code: 'UNREAD',
    message: `${what} could not be read: you may not`,
    remedy: 'kubectl auth can-i --list   # docs/rbac.md has what status needs',
  }
}

function noIstio(): Warning {
  const message = 'the cluster has no Istio, so nothing can be exposed'
  return { code: 'ISTIO_NOT_FOUND', message, remedy: 'kubectl telemetry port-forward   # needs none' }
}
