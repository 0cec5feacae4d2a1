import { asksForGuard } from '../access/guard.ts'
import { addressWarnings, chooseGuards, type GuardPlan } from '../access/guard-plan.ts'
import { requireLoginsPossible } from '../access/login-checks.ts'
import { guardsUnknown, guardsUnread, requireGuardsKnown, requireGuardsUnneeded } from '../access/unread-guards.ts'
import { titleOf } from '../addons/service-name.ts'
import { chooseIssuer } from '../certifying/issued-certificate.ts'
import { chooseSecret, requireProvidedSecret } from '../certifying/provided-secret.ts'
import type { Cluster, ClusterIdentity, KubeObject } from '../cluster/cluster.ts'
import { identify } from '../cluster/reading.ts'
import { RememberingCluster } from '../cluster/remembering-cluster.ts'
import type { Finding } from '../findings.ts'
import { busyEntries } from '../gateways/conflicts.ts'
import type { IngressGateway } from '../gateways/find.ts'
import { chooseLayout, isSecure, type OwnPort } from '../gateways/layout.ts'
import { surveyMoved } from '../gateways/moved-addons.ts'
import { ISSUED_SECRET_NAME } from '../manifests/names.ts'
import { serverTime } from '../time/server-time.ts'
import type { Dependencies } from '../world.ts'
import { chooseDomain } from './domain.ts'
import { requireEntriesFree } from './entries-free.ts'
import { type MeshFacts, readMesh } from './gathering/mesh.ts'
import { chooseOwnPorts, requireApart } from './gathering/own-ports.ts'
import { requireNodePorts } from './node-ports.ts'
import { awaitedGuards, chosenAddons, stillClosed } from './opening/closed-routes.ts'
import type { ExposeIntent } from './request.ts'
import { isDefault, resolutionWarnings } from './resolution.ts'
import {
  type ExposureSpec,
  entriesFor,
  entryIn,
  hostsOf,
  movedRoutes,
  namesOf,
  needsGuard,
  servesHttps,
  serviceHostsOf,
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
  const names = namesOf(addons)
  const own = chooseOwnPorts(intent, { names, exposed, inUse: mesh.layoutInUse, gateway, present })
  const layout = chooseLayout(sharedIntent(intent, mesh, own), mesh.layoutInUse, { domain, gateway })
  const nodePorts = requireNodePorts(intent.nodePorts, addons, layout.name, own)
  const terms = dated(intent.terms, serverTime(world))
  const found = { istioVersion, gateway, address, layout, ...entriesFor(mesh, layout, own) }
  const place = { ...found, serviceHosts: serviceHostsOf(found.entries) }
  requireApart(place.entries, names)
  const moved = movedRoutes({ ...mesh, ...place })
  const known = requireGuards({ ...mesh, ...place }, intent, earlier)
  const guarding = await requireLoginsPossible(known, names, { istioVersion, gateway, services, cluster })
  const moving = await surveyMoved(moved, services, cluster)
  const access = withTerms({ ...mesh, ...place, moving, guarding }, { ...intent, terms })
  const { redirect, warnings: taken } = requireEntriesFree(place, present)
  const isHttps = servesHttps(place)
  const certificate = isHttps ? await findCertificate(intent, place, present, world) : NONE
  const requested = names.map((name) => entryIn(place, name))
  return {
    spec: {
      ...place,
      served: mesh.served,
      layoutInUse: mesh.layoutInUse,
      reselects: mesh.reselects,
      addons,
      exposed,
      moving,
      redirect,
      busy: busyEntries(gateway, place.entries, present),
      paths: mesh.paths,
      nodePorts,
      providedSecret: certificate.providedSecret,
      issuer: certificate.issuer,
      kiali,
      ...access,
    },
    terms,
    guardsRead: guards !== undefined,
    present: [...present, ...certificate.present, ...(guards ?? []), gateway.service],
    warnings: [
      ...[mesh.warnings, changing, taken, certificate.warnings].flat(),
      ...(await guardWarnings(gateway, access.guarding, guards, cluster)),
      ...clockFindings(cluster.clockAhead),
    ],
    cluster: mesh.identity ?? (isHttps && certificate === NONE ? await identify(cluster) : undefined),
    unresolved: isDefault(domain, intent.domain) ? await resolutionWarnings(hostsOf(requested), address, prober) : [],
  }
}

/** @param objects what was read of guards */
async function guardWarnings(
  gateway: IngressGateway,
  { guards, unread }: GuardPlan,
  objects: KubeObject[] | undefined,
  cluster: Cluster,
): Promise<Finding[]> {
  return [
    ...(await addressWarnings(gateway, guards, cluster)),
    ...(objects === undefined ? [guardsUnread(gateway.namespace)] : []),
    ...guardsUnknown(unread),
  ]
}

/** The scheme that is asked for is that of named exposures at the port of the layout; where there are none, all others keep theirs. */
function sharedIntent(
  intent: ExposeIntent,
  { addons, layoutInUse: inUse }: Pick<MeshFacts, 'addons' | 'layoutInUse'>,
  own: Readonly<Record<string, OwnPort>>,
): Pick<ExposeIntent, 'layout' | 'insecure'> {
  const isShared = namesOf(addons).some((name) => own[name] === undefined)
  return isShared ? intent : { layout: intent.layout, insecure: inUse?.secure === false }
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
  requireGuardsKnown(guarding.unread.filter(({ name }) => needsGuard(name, spec)))
  return guarding
}

function namedIn(
  { addons, exposed }: Pick<ExposureSpec, 'addons' | 'exposed'>,
  objects: readonly KubeObject[],
): Parameters<typeof chooseGuards>[0] {
  const others = exposed.map(({ name }) => name)
  return { named: namesOf(addons), others, awaited: awaitedGuards(exposed, objects) }
}

/** Who may enter, and on which terms. */
function withTerms(
  spec: Pick<ExposureSpec, 'addons' | 'moving' | 'exposed' | 'layout' | 'entries' | 'guarding'>,
  intent: ExposeIntent,
): Pick<ExposureSpec, 'guarding' | 'terms' | 'closed'> {
  const { addons, exposed, guarding } = spec
  const closed = stillClosed(exposed, guarding.guards, chosenAddons(intent, namesOf(addons)))
  return { guarding, terms: chooseTerms(spec, intent.terms, spec), closed }
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
  spec: Parameters<typeof guardsToWiden>[0] & Pick<ExposureSpec, 'layoutInUse' | 'reselects'>,
  { guard }: ExposeIntent,
  earlier?: ExposureSpec,
): string[] {
  const before = (earlier ?? spec).exposed.map(({ name }) => name)
  const again = namesOf(spec.addons).filter((name) => before.includes(name))
  return [
    ...movedRoutes(spec).map(({ name }) => `${titleOf(name)} would move to another address`),
    ...staleRoutes(spec).map(({ name }) => `the route of ${titleOf(name)} would be changed`),
    ...again.map((name) => `${titleOf(name)} is exposed already`),
    ...guardsToWiden(spec).map((name) => `the guard of ${titleOf(name)} would need the host of a Service`),
    ...(spec.reselects ? ['the labels of the Gateway would change, and those of all guards with them'] : []),
    ...(asksForGuard(guard) ? ['a guard is to be set'] : []),
  ]
}

/**
 * Exposures whose guards, if there are any, must be for the connections to another host, too: one connection carries requests for all
 * hosts of the shared port. They name the hosts of all add-ons from the beginning, and a Service when it is exposed.
 */
function guardsToWiden(
  spec: Pick<ExposureSpec, 'addons' | 'exposed' | 'layout' | 'entries' | 'served' | 'serviceHosts'>,
): string[] {
  const { entries, exposed, layout, served, serviceHosts } = spec
  if (serviceHosts.every((host) => served.includes(host))) return []
  const shared = entries.filter((entry) => entry.own === undefined && isSecure(entry, layout)).map(({ name }) => name)
  const names = namesOf(spec.addons)
  return exposed.map(({ name }) => name).filter((name) => shared.includes(name) && !names.includes(name))
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
