/** Reads the facts of the mesh, and completes the intent to a spec. Changes nothing. */
import { isDeepStrictEqual } from 'node:util'
import { asksForGuard } from '../access/guard.ts'
import { addressWarnings, chooseGuards, type GuardPlan, readGuards } from '../access/guard-plan.ts'
import { requireLoginsPossible } from '../access/login-checks.ts'
import { guardsUnknown, guardsUnread, requireGuardsKnown, requireGuardsUnneeded } from '../access/unread-guards.ts'
import type { FoundAddon } from '../addons/find.ts'
import { type SurveyedAddon, surveyAddons } from '../addons/survey.ts'
import { chooseIssuer } from '../certifying/issued-certificate.ts'
import { chooseSecret, requireProvidedSecret } from '../certifying/provided-secret.ts'
import type { Cluster, ClusterIdentity, KubeObject } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { identify, readable, readServices, requireIstioVersionByGateways } from '../cluster/reading.ts'
import { RememberingCluster } from '../cluster/remembering-cluster.ts'
import { gateways, SECRETS, virtualServices } from '../cluster/resources.ts'
import type { Finding } from '../findings.ts'
import type { IngressAddress } from '../gateways/address.ts'
import { isBusy } from '../gateways/conflicts.ts'
import { exposedRoutes } from '../gateways/exposed-routes.ts'
import { chooseLayout, entryOf, layoutInUse } from '../gateways/layout.ts'
import { ownGateway } from '../gateways/made-by-exposing.ts'
import { surveyMoved } from '../gateways/moved-addons.ts'
import { othersUnread, readOtherPods, requireOwnSelector } from '../gateways/own-pods.ts'
import { requireGateway, requireIngressAddress, requireSecretsReadable } from '../gateways/survey.ts'
import { requireSpokenTo } from '../gateways/upstream/https-addons.ts'
import { GATEWAY_NAME, ISSUED_SECRET_NAME, TLS_SECRET_NAME } from '../manifests/names.ts'
import { serverTime } from '../time/server-time.ts'
import type { Dependencies } from '../world.ts'
import { chooseDomain, lookAhead } from './domain.ts'
import { requireEntriesFree } from './entries-free.ts'
import { requireNodePorts } from './node-ports.ts'
import { awaitedGuards, chosenAddons, stillClosed } from './opening/closed-routes.ts'
import { type ExposeIntent, mayNeedAuthority } from './request.ts'
import { isDefault, resolutionWarnings } from './resolution.ts'
import {
  type ExposureSpec,
  entriesFor,
  entryIn,
  hostsOf,
  movedRoutes,
  namesOf,
  needsGuard,
  staleRoutes,
} from './spec.ts'
import { chooseTerms, clockFindings, type DatedTerms, dated } from './terms.ts'

/** The spec, and what was found in the mesh. */
export interface Survey {
  readonly spec: ExposureSpec
  /** Of the intent, with the time of expiry. */
  readonly terms: DatedTerms
  /** Whether existing guards could be read. */
  readonly guardsRead: boolean
  /** Existing objects that have a name or a host which the plan may use. */
  readonly present: readonly KubeObject[]
  readonly warnings: readonly Finding[]
  /** Which cluster it is, where a CA of this machine may sign. */
  readonly cluster: ClusterIdentity | undefined
  /** DNS problems of a default domain. */
  readonly unresolved: readonly Finding[]
}

/** Facts of the mesh that an exposure needs. */
interface MeshFacts
  extends Pick<
    ExposureSpec,
    'istioVersion' | 'gateway' | 'layoutInUse' | 'reselects' | 'addons' | 'exposed' | 'kiali'
  > {
  services: Service[]
  /** From the Service, a node or `--ingress-ip`. */
  address: IngressAddress
  /** All Gateways, and the VirtualServices and the TLS Secret in the namespace of the gateway. */
  present: KubeObject[]
  /** Guards, and objects with the name of one. `undefined` without permission to read them. */
  guards: KubeObject[] | undefined
  identity: ClusterIdentity | undefined
  warnings: Finding[]
}

/**
 * @param earlier what this run gathered before
 * @throws UserError; see the codes in addons/survey.ts, gateways/survey.ts, entries-free.ts, node-ports.ts and domain.ts
 */
export async function gather(intent: ExposeIntent, outside: Dependencies, earlier?: ExposureSpec): Promise<Survey> {
  const world = { ...outside, cluster: new RememberingCluster(outside.cluster) }
  const { cluster, prober } = world
  const mesh = await readMesh(intent, world)
  const { istioVersion, services, gateway, addons, exposed, kiali, guards, present } = mesh
  const { domain, address, warnings: changing } = await chooseDomain(intent.domain, exposed, mesh.address, world)
  const layout = chooseLayout(intent, mesh.layoutInUse, { domain, gateway })
  const nodePorts = requireNodePorts(intent.nodePorts, addons, layout.name)
  const terms = dated(intent.terms, serverTime(world))
  const place = { istioVersion, gateway, address, layout, ...entriesFor(mesh, layout) }
  const moved = movedRoutes({ ...mesh, ...place })
  const known = requireGuards({ ...mesh, ...place }, intent, earlier)
  const guarding = await requireLoginsPossible(known, namesOf(addons), { istioVersion, gateway, services, cluster })
  const moving = await surveyMoved(moved, services, cluster)
  const access = withTerms({ ...mesh, moving, layout, guarding }, { ...intent, terms })
  const { redirect, warnings: taken } = requireEntriesFree(place, present)
  const certificate = layout.secure ? await findCertificate(intent, place, present, world) : NONE
  const requested = namesOf(addons).map((addon) => entryIn(place, addon))
  return {
    spec: {
      ...place,
      layoutInUse: mesh.layoutInUse,
      reselects: mesh.reselects,
      addons,
      exposed,
      moving,
      redirect,
      busy: isBusy(gateway, place.entries, present),
      nodePorts,
      providedSecret: certificate.providedSecret,
      issuer: certificate.issuer,
      kiali,
      guarding: access.guarding,
      terms: access.terms,
      closed: access.closed,
    },
    terms,
    guardsRead: guards !== undefined,
    present: [...present, ...certificate.present, ...(guards ?? []), gateway.service],
    warnings: [
      ...mesh.warnings,
      ...changing,
      ...taken,
      ...certificate.warnings,
      ...(await addressWarnings(gateway, access.guarding.guards, cluster)),
      ...(guards === undefined ? [guardsUnread(gateway.namespace)] : []),
      ...guardsUnknown(guarding.unread),
      ...clockFindings(cluster.clockAhead),
    ],
    cluster: mesh.identity,
    unresolved: isDefault(domain, intent.domain) ? await resolutionWarnings(hostsOf(requested), address, prober) : [],
  }
}

/** @throws UserError GUARDS_UNREADABLE */
function requireGuards(
  spec: Parameters<typeof needsOfGuards>[0] & Pick<MeshFacts, 'gateway' | 'guards'>,
  intent: ExposeIntent,
  earlier?: ExposureSpec,
): GuardPlan {
  const { gateway, guards } = spec
  if (guards === undefined) requireGuardsUnneeded(gateway.namespace, needsOfGuards(spec, intent, earlier))
  const guarding = chooseGuards(namedIn(spec, guards ?? []), intent.guard, guards ?? [], earlier?.guarding.guards)
  requireGuardsKnown(guarding.unread.filter(({ addon }) => needsGuard(addon, spec)))
  return guarding
}

async function readMesh(intent: ExposeIntent, world: Dependencies): Promise<MeshFacts> {
  const { cluster } = world
  const [istioVersion, services] = await Promise.all([requireIstioVersionByGateways(cluster), readServices(cluster)])
  const { addons: surveyed, warnings } = await surveyAddons(intent.addons, services, intent.namespace, world)
  const kiali = intent.link ? await requireKiali(surveyed, services, intent.namespace, world) : undefined
  const found = await requireGateway(services, intent.gateway, world)
  const place = { gateway: found, istioVersion, cluster }
  const { addons, warnings: unspoken } = await requireSpokenTo(surveyed, intent.addons.named, place)
  const [address, present, guards, others, identity] = await Promise.all([
    requireIngressAddress(found, intent.ingressAddress, world).then((one) => lookUpHosts(one, addons, intent, world)),
    readPresent(cluster, istioVersion, found.namespace),
    readGuards(cluster, istioVersion, found.namespace),
    readOtherPods(found, cluster),
    mayNeedAuthority(intent) ? identify(cluster) : undefined,
    intent.insecure ? undefined : requireSecretsReadable(found, cluster),
  ])
  const ours = ownGateway(present, found.namespace)
  const selector = (ours?.spec as { selector?: Record<string, string> } | undefined)?.selector
  const gateway = await requireOwnSelector(found, others ?? [], selector, cluster)
  return {
    istioVersion,
    services,
    gateway,
    address,
    addons,
    kiali,
    present,
    guards,
    identity,
    warnings: [...warnings, ...unspoken, ...(others === undefined ? [othersUnread(found)] : [])],
    exposed: exposedRoutes(present.filter(({ kind }) => kind === 'VirtualService')),
    layoutInUse: layoutInUse(ours),
    reselects: ours !== undefined && !isDeepStrictEqual(selector, gateway.selector),
  }
}

/** Starts DNS lookups of the probable hosts while other reads are in progress. */
function lookUpHosts(
  address: IngressAddress,
  addons: readonly SurveyedAddon[],
  intent: ExposeIntent,
  { prober }: Dependencies,
): IngressAddress {
  if (intent.domain !== undefined) return address
  const probable = { name: intent.layout ?? 'hosts', secure: !intent.insecure }
  const hostsIn = (domain: string) => hostsOf(namesOf(addons).map((addon) => entryOf(addon, { ...probable, domain })))
  return lookAhead(address, hostsIn, prober)
}

function namedIn(
  { addons, exposed }: Pick<ExposureSpec, 'addons' | 'exposed'>,
  objects: readonly KubeObject[],
): Parameters<typeof chooseGuards>[0] {
  const others = exposed.map(({ addon }) => addon)
  return { named: namesOf(addons), others, awaited: awaitedGuards(exposed, objects) }
}

/** Who may enter, and on which terms. */
function withTerms(
  spec: Pick<ExposureSpec, 'addons' | 'moving' | 'exposed' | 'layout' | 'guarding'>,
  intent: ExposeIntent,
): Pick<ExposureSpec, 'guarding' | 'terms' | 'closed'> {
  const { addons, exposed, guarding, layout } = spec
  const closed = stillClosed(exposed, guarding.guards, chosenAddons(intent, namesOf(addons)))
  return { guarding, terms: chooseTerms(spec, intent.terms, { guarding, secure: layout.secure }), closed }
}

/** The same survey with the answers of the user. Reads and asks nothing again. */
export async function withAccess(intent: ExposeIntent, survey: Survey, cluster: Cluster): Promise<Survey> {
  const { spec, warnings } = survey
  if (!survey.guardsRead) requireGuardsUnneeded(spec.gateway.namespace, needsOfGuards(spec, intent))
  const { objects, failOpen, authorizers } = spec.guarding
  const guarding = { ...chooseGuards(namedIn(spec, objects), intent.guard, objects), failOpen, authorizers }
  const access = withTerms({ ...spec, guarding }, intent)
  const more = await addressWarnings(spec.gateway, access.guarding.guards, cluster)
  const isNew = ({ code }: Finding) => warnings.every((one) => one.code !== code)
  return { ...survey, spec: { ...spec, ...access }, warnings: [...warnings, ...more.filter(isNew)] }
}

/** Why the existing guards must be known. @param earlier what this run gathered before: other exposures are its own */
function needsOfGuards(
  spec: Pick<ExposureSpec, 'addons' | 'exposed' | 'layout' | 'layoutInUse' | 'entries' | 'reselects'>,
  { guard }: ExposeIntent,
  earlier?: ExposureSpec,
): string[] {
  const before = (earlier ?? spec).exposed.map(({ addon }) => addon)
  const again = namesOf(spec.addons).filter((name) => before.includes(name))
  return [
    ...movedRoutes(spec).map(({ addon }) => `${addon} would move to another address`),
    ...staleRoutes(spec).map(({ addon }) => `the route of ${addon} would be changed`),
    ...again.map((name) => `${name} is exposed already`),
    ...(spec.reselects ? ['the labels of the Gateway would change, and those of all guards with them'] : []),
    ...(asksForGuard(guard) ? ['a guard is to be set'] : []),
  ]
}

/** A certificate that kubectl telemetry does not create. */
interface UserCertificate extends Pick<ExposureSpec, 'providedSecret' | 'issuer'> {
  present: KubeObject[]
  warnings: Finding[]
}

const NONE: UserCertificate = { present: [], warnings: [] }

async function findCertificate(
  { tlsSecret, tlsIssuer }: ExposeIntent,
  { gateway, hosts }: Pick<ExposureSpec, 'gateway' | 'hosts'>,
  present: KubeObject[],
  world: Dependencies,
): Promise<UserCertificate> {
  const { namespace } = gateway
  const name = chooseSecret(tlsSecret, present, gateway)
  const issued = await chooseIssuer(tlsIssuer, name, namespace, world)
  // Its content is known after cert-manager has issued it.
  if (issued !== undefined) return { ...issued, providedSecret: { name: ISSUED_SECRET_NAME, chain: '' }, warnings: [] }
  if (name === undefined) return NONE
  return { present: [], ...(await requireProvidedSecret(name, namespace, hosts, world)) }
}

/** Finds Kiali for --link. Kiali itself need not be exposed. */
async function requireKiali(
  addons: readonly SurveyedAddon[],
  services: Service[],
  namespace: string | undefined,
  world: Dependencies,
): Promise<FoundAddon | undefined> {
  const requested = addons.find(({ found }) => found.addon.name === 'kiali')
  if (requested !== undefined) return requested.found
  const survey = await surveyAddons({ names: ['kiali'], named: true }, services, namespace, world)
  return survey.addons[0]?.found
}

/** Existing objects: those of kubectl telemetry, and others whose name or host could conflict with a plan. */
async function readPresent(cluster: Cluster, istioVersion: string, namespace: string): Promise<KubeObject[]> {
  const [secret, found, routes] = await Promise.all([
    cluster.get(SECRETS, { name: TLS_SECRET_NAME, namespace }),
    readGateways(cluster, istioVersion, namespace),
    cluster.list(virtualServices(istioVersion), { namespace }),
  ])
  return [...(secret === undefined ? [] : [secret]), ...found, ...routes]
}

/** All Gateways, because any of them may serve the same host; without permission to list them, only that of kubectl telemetry. */
async function readGateways(cluster: Cluster, istioVersion: string, namespace: string): Promise<KubeObject[]> {
  const all = await readable(cluster.list(gateways(istioVersion)))
  if (all !== undefined) return all
  const own = await cluster.get(gateways(istioVersion), { name: GATEWAY_NAME, namespace })
  return own === undefined ? [] : [own]
}
