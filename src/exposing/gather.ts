/** Reads what an exposure builds on, and what is there already under the names and hosts it would use. */
import type { GuardRequest, Guards } from '../access/guard.ts'
import { addressWarnings, chooseGuards, readGuards } from '../access/guard-plan.ts'
import { requireLoginsPossible } from '../access/login-checks.ts'
import type { AddonChoice } from '../addons/catalog.ts'
import type { FoundAddon } from '../addons/find.ts'
import type { PortChoice } from '../addons/port-choice.ts'
import { type SurveyedAddon, surveyAddons } from '../addons/survey.ts'
import { chosenIssuer } from '../certifying/issued-certificate.ts'
import { chosenSecret, requireBroughtSecret, type SecretChoice } from '../certifying/provided-secret.ts'
import type { Cluster, KubeObject, ObjectName } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { isOwned } from '../cluster/ownership.ts'
import { readable, readServices, requireIstioVersion } from '../cluster/reading.ts'
import { gateways, SECRETS, virtualServices } from '../cluster/resources.ts'
import { addressesIn } from '../gateways/address-domain.ts'
import { type ExposedRoute, exposedRoutes } from '../gateways/exposed-routes.ts'
import { entryOf, type Layout, type LayoutName, layoutInUse } from '../gateways/layout.ts'
import { requireGateway, requireIngressAddress, requireSecretsReadable } from '../gateways/survey.ts'
import type { IssuerRef } from '../manifests/certificate.ts'
import { GATEWAY_NAME, ISSUED_SECRET_NAME, TLS_SECRET_NAME } from '../manifests/names.ts'
import type { Dependencies, Warning } from '../world.ts'
import { chooseDomain, lookAhead } from './domain.ts'
import { requireEntriesFree } from './entries-free.ts'
import { requireNodePorts } from './node-ports.ts'
import { type ExposureRequest, hostsOf } from './plan.ts'
import { resolutionWarnings } from './resolution.ts'
import { chooseTerms, type DatedTerms } from './terms.ts'

/** What was asked for, as far as it says where things are. */
export interface Gathering {
  addons: AddonChoice
  /** Where the add-ons are; every namespace when left out. */
  namespace?: string | undefined
  domain?: string | undefined
  /** `--ingress-ip`. */
  ingressAddress?: string | undefined
  gateway?: Required<ObjectName> | undefined
  /** The one in use, else `hosts`, when left out. */
  layout?: LayoutName | undefined
  /** HTTP instead of HTTPS. */
  insecure: boolean
  /** Kiali's pages are to link to the others. */
  link?: boolean
  nodePorts: PortChoice
  /** A Secret of theirs to serve with; the one in use, else ours, when left out. */
  tlsSecret?: SecretChoice | undefined
  /** Who is to make one, where cert-manager does; the one in use when left out. */
  tlsIssuer?: IssuerRef | undefined
  /** Who may enter; what is left out stays as it is. */
  guard: GuardRequest
  terms: DatedTerms
  /** Guards of an earlier look in the same run. */
  knownGuards?: Guards
}

export interface Gathered {
  gathered: ExposureRequest
  /** What is there already under the names that the plan may use. */
  present: KubeObject[]
  warnings: Warning[]
  /** What the self-test of a default domain found. */
  unresolved: Warning[]
}

/** @throws UserError; see the codes in addons/survey.ts and gateways/survey.ts, entries-free.ts and node-ports.ts, and DOMAIN_REQUIRED */
export async function gather(request: Gathering, dependencies: Dependencies): Promise<Gathered> {
  const { cluster, prober } = dependencies
  const [istioVersion, services] = await Promise.all([requireIstioVersion(cluster), readServices(cluster)])
  const { addons, warnings } = await surveyAddons(request.addons, services, request.namespace, dependencies)
  const kiali = request.link ? await requireKiali(addons, services, request.namespace, dependencies) : undefined
  const gateway = await requireGateway(services, request.gateway, dependencies)
  const expected = { name: request.layout ?? 'hosts', secure: !request.insecure }
  const [found, present, guards] = await Promise.all([
    requireIngressAddress(gateway, request.ingressAddress, dependencies).then((one) =>
      request.domain === undefined ? lookAhead(one, (domain) => hostsIn(addons, { ...expected, domain }), prober) : one,
    ),
    readPresent(cluster, istioVersion, gateway.namespace),
    readGuards(cluster, istioVersion, gateway.namespace),
    requireSecretsReadable(gateway, cluster),
  ])
  const exposed = exposedRoutes(present.filter(({ kind }) => kind === 'VirtualService'))
  const { domain, address, warnings: changing } = await chooseDomain(request.domain, exposed, found, dependencies)
  const inUse = layoutInUse(present.find((object) => object.kind === 'Gateway' && isOwned(object)))
  const layout = { name: request.layout ?? inUse?.name ?? 'hosts', secure: !request.insecure, domain }
  const nodePorts = requireNodePorts(request.nodePorts, addons, layout.name)
  const entering = chooseEntering(request, addons, exposed, guards ?? [])
  const named = addons.map(({ found }) => found.addon.name)
  await requireLoginsPossible(entering.guarding, named, { istioVersion, gateway, services, cluster })
  const where = { istioVersion, gateway, address, layout, layoutInUse: inUse }
  const wanted = { ...where, addons, exposed, nodePorts, kiali, ...entering }
  const { redirect, warnings: taken } = requireEntriesFree({ ...wanted, redirect: false }, present)
  const theirs = layout.secure ? await gatherTheirs(request, { ...wanted, redirect }, present, dependencies) : OURS
  return {
    gathered: { ...wanted, redirect, brought: theirs.brought, issuer: theirs.issuer },
    present: [...present, ...theirs.present, ...(guards ?? []), gateway.service],
    warnings: [
      ...warnings,
      ...changing,
      ...taken,
      ...theirs.warnings,
      ...(await addressWarnings(gateway, entering.guarding.guards, cluster)),
      ...(guards === undefined ? [guardsUnread(gateway.namespace)] : []),
    ],
    unresolved: isDefault(domain, request) ? await resolutionWarnings(hostsIn(addons, layout), address, prober) : [],
  }
}

/** Who may enter, and on which terms. */
function chooseEntering(
  { guard, knownGuards, terms }: Gathering,
  addons: SurveyedAddon[],
  exposed: ExposedRoute[],
  objects: KubeObject[],
): Pick<ExposureRequest, 'guarding' | 'terms'> {
  const named = addons.map(({ found }) => found.addon.name)
  const others = exposed.map(({ addon }) => addon)
  const guarding = chooseGuards(named, others, guard, objects, knownGuards)
  return { guarding, terms: chooseTerms(addons, exposed, terms, guarding.guards) }
}

/** The same, for what a person has said meanwhile of who may enter; nothing is read or asked again. */
export async function enteredAs(request: Gathering, known: Gathered, cluster: Cluster): Promise<Gathered> {
  const { gathered, warnings } = known
  const { gateway, addons, exposed, guarding: before } = gathered
  const entering = chooseEntering(request, addons, exposed, before.objects)
  const more = await addressWarnings(gateway, entering.guarding.guards, cluster)
  const isNew = ({ code }: Warning) => warnings.every((one) => one.code !== code)
  return { ...known, gathered: { ...gathered, ...entering }, warnings: [...warnings, ...more.filter(isNew)] }
}

function guardsUnread(namespace: string): Warning {
  const message = `AuthorizationPolicies in namespace ${namespace} could not be read: who may enter stays as it is where nothing was said of it`
  return { code: 'ACCESS_UNREAD', message, remedy: 'run expose with the rights in docs/rbac.md' }
}

/** What is served with, where it is not what we make. */
interface Theirs extends Pick<ExposureRequest, 'brought' | 'issuer'> {
  present: KubeObject[]
  warnings: Warning[]
}

const OURS: Theirs = { present: [], warnings: [] }

async function gatherTheirs(
  { tlsSecret, tlsIssuer }: Gathering,
  wanted: ExposureRequest,
  present: KubeObject[],
  dependencies: Dependencies,
): Promise<Theirs> {
  const { namespace } = wanted.gateway
  const name = chosenSecret(tlsSecret, present, wanted.gateway)
  const issued = await chosenIssuer(tlsIssuer, name, namespace, dependencies)
  // What it will hold is known once cert-manager has made it.
  if (issued !== undefined) return { ...issued, brought: { name: ISSUED_SECRET_NAME, chain: '' }, warnings: [] }
  if (name === undefined) return OURS
  return { present: [], ...(await requireBroughtSecret(name, namespace, hostsOf(wanted), dependencies)) }
}

/** It need not be exposed itself to link to those that are. */
async function requireKiali(
  addons: SurveyedAddon[],
  services: Service[],
  namespace: string | undefined,
  dependencies: Dependencies,
): Promise<FoundAddon | undefined> {
  const asked = addons.find(({ found }) => found.addon.name === 'kiali')
  if (asked !== undefined) return asked.found
  const survey = await surveyAddons({ names: ['kiali'], named: true }, services, namespace, dependencies)
  return survey.addons[0]?.found
}

function hostsIn(addons: SurveyedAddon[], layout: Layout): string[] {
  return [...new Set(addons.map(({ found }) => entryOf(found.addon.name, layout).host))]
}

/** Whether we made it of an address, so that it is ours to say whether it works. */
function isDefault(domain: string, request: Gathering): boolean {
  return request.domain === undefined && addressesIn(domain).length > 0
}

/** Lists serve twice: they have what is ours, and whatever else bears a name or a host that we would use. */
export async function readPresent(
  cluster: Cluster,
  istioVersion: string,
  namespace: string,
  withSecret = true,
): Promise<KubeObject[]> {
  const [secret, serving] = await Promise.all([
    withSecret ? cluster.get(SECRETS, { name: TLS_SECRET_NAME, namespace }) : undefined,
    readServing(cluster, istioVersion, namespace),
  ])
  return secret === undefined ? serving : [secret, ...serving]
}

/** Gateways, and the VirtualServices of a namespace. */
async function readServing(cluster: Cluster, istioVersion: string, namespace: string): Promise<KubeObject[]> {
  const [found, routes] = await Promise.all([
    readGateways(cluster, istioVersion, namespace),
    cluster.list(virtualServices(istioVersion), { namespace }),
  ])
  return [...found, ...routes]
}

/** Those of the whole cluster, since any of them may claim our host; without the right to read them, our own. */
async function readGateways(cluster: Cluster, istioVersion: string, namespace: string): Promise<KubeObject[]> {
  const all = await readable(cluster.list(gateways(istioVersion)))
  if (all !== undefined) return all
  const own = await cluster.get(gateways(istioVersion), { name: GATEWAY_NAME, namespace })
  return own === undefined ? [] : [own]
}
