/** What stands in front of each add-on at the gateway: planned beside its route, and looked at again afterwards. */
import { isDeepStrictEqual } from 'node:util'
import { ADDON_NAMES } from '../addons/catalog.ts'
import type { Change, Wanted } from '../changes/changes.ts'
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import type { ConfigMap } from '../cluster/objects.ts'
import { componentOf, isOwned } from '../cluster/ownership.ts'
import { readable } from '../cluster/reading.ts'
import { authorizationPolicies, CONFIG_MAPS, ENVOY_FILTERS } from '../cluster/resources.ts'
import { hiddenAddress } from '../gateways/client-address.ts'
import { type IngressGateway, listenerPorts } from '../gateways/find.ts'
import { type Entry, entryOf, type Layout } from '../gateways/layout.ts'
import { meshConfigMap, trustedProxies } from '../gateways/mesh.ts'
import { allowList, externalAuthorization } from '../manifests/authorization-policy.ts'
import { type FilteredRequests, guardFilter } from '../manifests/envoy-filter.ts'
import { basicAuth, jwtAuthentication } from '../manifests/guard-filters.ts'
import type { Warning } from '../world.ts'
import { type Guard, type GuardRequest, type Guards, guardWanted, isGuarded } from './guard.ts'
import { guardsIn } from './present.ts'

/** Guards as they are to be, and the objects that make those there are. */
export interface GuardPlan {
  guards: Guards
  /** Ours and others', of the gateway's namespace. */
  objects: KubeObject[]
}

/** Kinds whose objects are guards. @param istioVersion of its networking API */
export function guardKinds(istioVersion: string): Resource[] {
  return [authorizationPolicies(istioVersion), ENVOY_FILTERS]
}

/** Objects that are, or bear the name of, a guard. `undefined` when they may not be read. */
export async function readGuards(
  cluster: Cluster,
  istioVersion: string,
  namespace: string,
): Promise<KubeObject[] | undefined> {
  const lists = guardKinds(istioVersion).map((resource) => cluster.list(resource, { namespace }))
  return readable(Promise.all(lists).then((found) => found.flat()))
}

/**
 * @param asked for the add-ons that are named
 * @param known guards of an earlier look in the same run: what another run has taken away since is not let go
 */
export function chooseGuards(
  named: string[],
  others: string[],
  asked: GuardRequest,
  objects: KubeObject[],
  known: Guards = {},
): GuardPlan {
  const present = { ...known, ...guardsIn(objects) }
  const isAsked = (addon: string) => named.includes(addon) && (asked.only?.includes(addon) ?? true)
  const chosen = [...new Set([...named, ...others])].map(
    (addon) => [addon, isAsked(addon) ? guardWanted(asked, present[addon]) : present[addon]] as const,
  )
  return { guards: Object.fromEntries(chosen.filter((pair): pair is [string, Guard] => isGuarded(pair[1]))), objects }
}

/** Where guards are put: the gateway, and how its add-ons are reached. */
export interface GuardPlace {
  istioVersion: string
  gateway: IngressGateway
  layout: Layout
}

/** The objects that guard these add-ons, and the removal of those that do so no more. */
export function planGuards(addons: string[], { guards, objects }: GuardPlan, place: GuardPlace): Wanted[] {
  const wanted = addons.flatMap((addon) => objectsOf(guards[addon] ?? {}, requestsOf(addon, place), place))
  const isWanted = ({ kind, metadata }: KubeObject) =>
    wanted.some(({ manifest }) => manifest.kind === kind && manifest.metadata.name === metadata.name)
  const kinds = guardKinds(place.istioVersion)
  const dropped = objects.flatMap((manifest): Wanted[] => {
    const resource = kinds.find(({ kind }) => kind === manifest.kind)
    const isOurs = isOwned(manifest) && addons.includes(componentOf(manifest) ?? '')
    return resource === undefined || !isOurs || isWanted(manifest) ? [] : [{ resource, manifest, by: 'removing' }]
  })
  return [...wanted, ...dropped]
}

function objectsOf({ cidrs, login }: Guard, requests: FilteredRequests, { istioVersion }: GuardPlace): Wanted[] {
  const resource = authorizationPolicies(istioVersion)
  const list = cidrs === undefined ? [] : [{ resource, manifest: allowList(resource, requests, cidrs) }]
  switch (login?.kind) {
    case 'basic': {
      const manifest = guardFilter(ENVOY_FILTERS, requests, basicAuth(login.users))
      return [...list, { resource: ENVOY_FILTERS, manifest }]
    }
    case 'jwt': {
      const filter = jwtAuthentication({ addonName: requests.addonName, ...login })
      return [...list, { resource: ENVOY_FILTERS, manifest: guardFilter(ENVOY_FILTERS, requests, filter) }]
    }
    case 'ext-authz':
      return [...list, { resource, manifest: externalAuthorization(resource, requests, login.provider) }]
    default:
      return list
  }
}

function requestsOf(addonName: string, { gateway, layout }: GuardPlace): FilteredRequests {
  const { namespace, selector } = gateway
  const entry = entryOf(addonName, layout)
  return {
    namespace,
    selector,
    addonName,
    host: entry.host,
    ports: portsOf(entry, gateway, layout),
    serverNames: layout.secure ? serverNames(layout) : undefined,
    serverPort: entry.port,
  }
}

/** Add-ons on hosts of their own by HTTPS need no port, and without one there is none to be mistaken in. */
function portsOf({ port }: Entry, gateway: IngressGateway, { name, secure }: Layout): number[] | undefined {
  return name === 'hosts' && secure ? undefined : listenerPorts(gateway, port)
}

/**
 * All names by which our server may be entered: with HTTP/2 a connection that was opened for one host carries requests for another.
 * Those of add-ons that are not exposed are among them, so that a policy stays as it is when they come or go.
 */
function serverNames(layout: Layout): string[] {
  return [...new Set(ADDON_NAMES.map((addon) => entryOf(addon, layout).host))].sort()
}

/** Whether guards change of what was there before: what is new is at the gateway with its route. */
export function changesGuards(changes: Change[]): boolean {
  const isGuard = ({ resource: { plural } }: Change) => guardKinds('').some((kind) => kind.plural === plural)
  const routes = changes.filter(({ resource }) => resource.plural === 'virtualservices')
  const isFirst = routes.every(({ action }) => action === 'created')
  return !isFirst && changes.some((change) => isGuard(change) && change.action !== 'unchanged')
}

/** Whether every guard is there as it was planned: another run may have taken it away. */
export function isGuardedAsPlanned({ guards }: GuardPlan, objects: KubeObject[]): boolean {
  const present = guardsIn(objects)
  return Object.entries(guards).every(([addon, guard]) => isDeepStrictEqual(present[addon], guard))
}

/** An allow list is of no use where the gateway does not see the client's address. */
export async function addressWarnings(gateway: IngressGateway, guards: Guards, cluster: Cluster): Promise<Warning[]> {
  if (Object.values(guards).every(({ cidrs }) => cidrs === undefined)) return []
  if (hiddenAddress(gateway, 0) === undefined) return []
  const configMap = await readable(cluster.get<ConfigMap>(CONFIG_MAPS, meshConfigMap(gateway)))
  const hidden = hiddenAddress(gateway, trustedProxies(gateway, configMap))
  if (hidden === undefined) return []
  const message = `${hidden.message}: the allow list then lets in all of them or none`
  return [{ code: 'CLIENT_ADDRESS_HIDDEN', message, remedy: hidden.remedy }]
}
