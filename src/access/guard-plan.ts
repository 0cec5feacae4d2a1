/** Plans the guards of exposed add-ons, and checks afterwards that they are in place. */

import { isDeepStrictEqual } from 'node:util'
import { ADDON_NAMES } from '../addons/catalog.ts'
import { serviceNamed } from '../addons/service-name.ts'
import type { Change, Wanted } from '../changes/changes.ts'
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import { EXPOSING, isOwnedBy } from '../cluster/ownership.ts'
import { readable } from '../cluster/reading.ts'
import { authorizationPolicies, ENVOY_FILTERS } from '../cluster/resources.ts'
import { type Finding, warns } from '../findings.ts'
import { hiddenAddress } from '../gateways/client-address.ts'
import { type IngressGateway, listenerPorts } from '../gateways/find.ts'
import { ANY_HOST, type Entry, entryOf, isSecure, type Layout } from '../gateways/layout.ts'
import { type Authorizer, clusterDomain, trustedProxies } from '../gateways/mesh.ts'
import { readMeshConfig } from '../gateways/mesh-config.ts'
import { allowList, externalAuthorization } from '../manifests/authorization-policy.ts'
import { type FilteredRequests, guardFilter } from '../manifests/envoy-filter.ts'
import { basicAuth, jwtAuthentication } from '../manifests/guard-filters.ts'
import {
  type Guard,
  type GuardChange,
  type GuardRequest,
  type Guards,
  guardWanted,
  isGuarded,
  replaces,
} from './guard.ts'
import { guardsIn, partsIn, serverNamesIn, type UnreadPart, unreadIn } from './guard-reader.ts'

/** The wanted guards, and the present objects. */
export interface GuardPlan {
  readonly guards: Guards
  /** All objects of these kinds in the gateway's namespace. */
  readonly objects: readonly KubeObject[]
  /** Objects of these add-ons whose content cannot be read, and for which this run asks for nothing else. */
  readonly unread: readonly UnreadPart[]
  /** External authorizers that are skipped while they do not answer. */
  readonly failOpen: readonly string[]
  /** External authorizers of these guards, as the mesh configuration has them. */
  readonly authorizers: readonly Authorizer[]
}

/** Kinds whose objects are guards. @param istioVersion version of the networking API */
export function guardKinds(istioVersion: string): Resource[] {
  return [authorizationPolicies(istioVersion), ENVOY_FILTERS]
}

/** Whether a resource is one of these kinds, in any version. */
export function isGuardKind({ plural }: Resource): boolean {
  return guardKinds('').some((kind) => kind.plural === plural)
}

/** Reads all objects of these kinds in a namespace. @returns `undefined` without permission */
export async function readGuards(
  cluster: Cluster,
  istioVersion: string,
  namespace: string,
): Promise<KubeObject[] | undefined> {
  const lists = guardKinds(istioVersion).map((resource) => cluster.list(resource, { namespace }))
  return readable(Promise.all(lists).then((found) => found.flat()))
}

/**
 * @param addons named add-ons, and the other exposed ones; guards for which an interrupted run closed routes
 * @param asked changes for the named add-ons, and for those about which the user was asked
 * @param known guards that this run has read before: they are kept even if another run has removed them since
 */
export function chooseGuards(
  { named, others, awaited = {} }: { named: string[]; others: string[]; awaited?: Guards },
  asked: GuardRequest,
  objects: readonly KubeObject[],
  known: Guards = {},
): GuardPlan {
  const present = { ...known, ...guardsIn(objects), ...awaited }
  const { answered, generated, ...flags } = asked
  const changeOf = (addon: string): GuardChange =>
    answered?.only.includes(addon) ? answered : named.includes(addon) ? flags : {}
  const addons = [...new Set([...named, ...others])]
  const chosen = addons.map((addon) => [addon, guardWanted({ ...changeOf(addon), generated }, present[addon])] as const)
  const guards = Object.fromEntries(chosen.filter((pair): pair is [string, Guard] => isGuarded(pair[1])))
  const unread = unreadIn(objects).filter(({ name, half }) => addons.includes(name) && !replaces(changeOf(name), half))
  return { guards, objects, unread, failOpen: [], authorizers: [] }
}

/** The gateway of the guards, and the layout of its add-ons. */
export interface GuardPlace {
  istioVersion: string
  gateway: IngressGateway
  layout: Layout
  /** Hosts of Services on the port that all hosts share. */
  serviceHosts: readonly string[]
}

/** The objects that guard these entries. */
export function guardObjects(
  entries: readonly Entry[],
  { guards, objects }: Pick<GuardPlan, 'guards' | 'objects'>,
  place: GuardPlace,
): Wanted[] {
  return entries.flatMap((entry) => {
    const requests = requestsOf(entry, place, namesServed(entry.name, objects, place.layout))
    return objectsOf(guards[entry.name] ?? {}, requests, place)
  })
}

/** Plans the objects that guard the add-ons of these entries, and the removal of old ones. */
export function planGuards(
  entries: readonly Entry[],
  { guards, objects }: Pick<GuardPlan, 'guards' | 'objects'>,
  place: GuardPlace,
): Wanted[] {
  const addons = entries.map(({ name }) => name)
  const wanted = guardObjects(entries, { guards, objects }, place)
  const isWanted = ({ kind, metadata }: KubeObject) =>
    wanted.some(({ manifest }) => manifest.kind === kind && manifest.metadata.name === metadata.name)
  const kinds = guardKinds(place.istioVersion)
  const dropped = ownedFor(addons, objects).flatMap((manifest): Wanted[] => {
    const resource = kinds.find(({ kind }) => kind === manifest.kind)
    return resource === undefined || isWanted(manifest) ? [] : [{ resource, manifest, by: 'removing' }]
  })
  return [...wanted, ...dropped]
}

/** Our objects for these add-ons. */
function ownedFor(addons: readonly string[], objects: readonly KubeObject[]): KubeObject[] {
  const parts = partsIn(objects).filter(({ name, object }) => addons.includes(name) && isOwnedBy(object, EXPOSING))
  return parts.map(({ object }) => object)
}

/** The policy with the allow list comes last: where it is in force, the gateway has the objects before it, too. */
function objectsOf({ cidrs, login }: Guard, requests: FilteredRequests, place: GuardPlace): Wanted[] {
  const { istioVersion, gateway } = place
  const resource = authorizationPolicies(istioVersion)
  const last = { resource, manifest: allowList(resource, requests, cidrs) }
  const list = cidrs === undefined ? [] : [last]
  switch (login?.kind) {
    case 'basic': {
      const manifest = guardFilter(ENVOY_FILTERS, requests, basicAuth(login.users))
      return [{ resource: ENVOY_FILTERS, manifest }, ...list]
    }
    case 'jwt': {
      const filter = jwtAuthentication({
        addonName: requests.addonName,
        clusterDomain: clusterDomain(gateway),
        ...login,
      })
      return [{ resource: ENVOY_FILTERS, manifest: guardFilter(ENVOY_FILTERS, requests, filter) }, ...list]
    }
    case 'ext-authz':
      return [{ resource, manifest: externalAuthorization(resource, requests, login.provider) }, last]
    default:
      return list
  }
}

/** @param known server names that the present policy contains */
function requestsOf(entry: Entry, place: GuardPlace, known: readonly string[]): FilteredRequests {
  const { gateway, layout } = place
  const { namespace, selector } = gateway
  const names = entry.own === undefined ? serverNames(place, known) : [entry.host]
  return {
    namespace,
    selector,
    addonName: entry.name,
    host: entry.host === ANY_HOST ? undefined : entry.host,
    ports: portsOf(entry, gateway, layout),
    serverNames: isSecure(entry, layout) && entry.host !== ANY_HOST ? names : undefined,
    serverPort: entry.port,
  }
}

/** Add-ons with their own HTTPS hosts need no port, and a condition that is left out cannot be wrong. */
function portsOf({ port, own }: Entry, gateway: IngressGateway, { name, secure }: Layout): number[] | undefined {
  if (own === undefined) return name === 'hosts' && secure ? undefined : listenerPorts(gateway, port)
  const target = own.target === undefined ? [] : [own.target]
  return [...new Set([...listenerPorts(gateway, port), ...target])].sort((a, b) => a - b)
}

/**
 * All server names of our hosts: with HTTP/2 a connection to one host carries requests for others. The names of add-ons that are not
 * exposed are included, so that a policy does not change when add-ons are exposed or removed. Names of Services stay in it for the same
 * reason when a Service is no longer exposed.
 */
function serverNames({ layout, serviceHosts }: GuardPlace, known: readonly string[]): string[] {
  const ofAddons = ADDON_NAMES.map((addon) => entryOf(addon, layout).host)
  return [...new Set([...ofAddons, ...serviceHosts, ...known])].sort()
}

/** The names of Services in this domain for which the policy of an add-on is already. */
function namesServed(addon: string, objects: readonly KubeObject[], { domain }: Layout): string[] {
  const policies = partsIn(objects).filter((part) => part.name === addon && part.guard !== undefined)
  return [...new Set(policies.flatMap(({ object }) => serverNamesIn(object)))].filter((name) => {
    const exposed = name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1) : ''
    return serviceNamed(exposed) !== undefined
  })
}

/** Whether guards of an existing exposure change. New guards reach the gateway together with their route. */
export function changesGuards(changes: Change[]): boolean {
  const routes = changes.filter(({ resource }) => resource.plural === 'virtualservices')
  const isFirst = routes.every(({ action }) => action === 'created')
  return !isFirst && changes.some(({ resource, action }) => isGuardKind(resource) && action !== 'unchanged')
}

/** Whether the guard of an entry is exactly as this version writes it. */
export function isGuardedAsPlanned(
  entry: Entry,
  { guards, objects }: Pick<GuardPlan, 'guards' | 'objects'>,
  place: GuardPlace,
): boolean {
  return areInPlace(guardObjects([entry], { guards, objects }, place), [entry.name], objects)
}

/** Whether the objects are exactly these, and none more for their add-ons. Somebody may have changed a part that no guard is read from. */
export function areInPlace(
  wanted: readonly Wanted[],
  addons: readonly string[],
  objects: readonly KubeObject[],
): boolean {
  const own = ownedFor(addons, objects)
  const isWanted = ({ kind, metadata: { name }, spec }: KubeObject) =>
    wanted.some(
      ({ manifest }) =>
        manifest.kind === kind && manifest.metadata.name === name && isDeepStrictEqual(manifest.spec, spec),
    )
  return own.length === wanted.length && own.every(isWanted)
}

/** Warns when an allow list has no effect because the gateway does not see the client's address. */
export async function addressWarnings(gateway: IngressGateway, guards: Guards, cluster: Cluster): Promise<Finding[]> {
  if (Object.values(guards).every(({ cidrs }) => cidrs === undefined)) return []
  if (hiddenAddress(gateway, 0) === undefined) return []
  const configMap = await readMeshConfig(gateway, cluster)
  const hidden = hiddenAddress(gateway, trustedProxies(gateway, configMap))
  if (hidden === undefined) return []
  const message = `${hidden.message}: the allow list then allows all clients or none`
  return [warns('CLIENT_ADDRESS_HIDDEN', message, hidden.remedy)]
}
