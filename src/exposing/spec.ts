/** What will be exposed, where and for whom: the intent, completed with what the mesh has. Pure. */
import { isIP } from 'node:net'
import { type GuardPlan, isGuardedAsPlanned } from '../access/guard-plan.ts'
import type { FoundAddon } from '../addons/find.ts'
import { serviceNamed } from '../addons/service-name.ts'
import type { SurveyedAddon } from '../addons/survey.ts'
import type { ProvidedSecret } from '../certifying/provided-secret.ts'
import type { Service } from '../cluster/objects.ts'
import { type IngressAddress, outsidePort } from '../gateways/address.ts'
import { type Backend, type ExposedRoute, isAt } from '../gateways/exposed-routes.ts'
import type { IngressGateway } from '../gateways/find.ts'
import { ANY_HOST, type Entry, entryOf, isSecure, type Layout, type OwnPort, schemePort } from '../gateways/layout.ts'
import { isSent } from '../gateways/mesh.ts'
import { urlOf } from '../gateways/names.ts'
import type { IssuerRef } from '../manifests/certificate.ts'
import type { Terms } from './terms.ts'

export interface ExposureSpec {
  readonly istioVersion: string
  readonly gateway: IngressGateway
  readonly address: IngressAddress
  readonly layout: Layout
  /** Hosts that our Gateway serves now. */
  readonly served: readonly string[]
  /** The layout of what is exposed already. */
  readonly layoutInUse: Omit<Layout, 'domain'> | undefined
  /** Whether the labels with which our Gateway selects pods change. */
  readonly reselects: boolean
  /** The requested add-ons and Services. */
  readonly addons: readonly SurveyedAddon[]
  /** Add-ons that are exposed at this gateway already, requested or not. */
  readonly exposed: readonly ExposedRoute[]
  /** Exposed add-ons that are not requested, and get an entry in another domain or layout. */
  readonly moving: readonly SurveyedAddon[]
  /** One for each add-on of both lists, sorted by add-on. They share a domain and a layout. */
  readonly entries: readonly Entry[]
  /** Hosts of Services on the port that all hosts share. */
  readonly serviceHosts: readonly string[]
  /** Of the entries: the names that the certificate needs. */
  readonly hosts: readonly string[]
  /** Whether port 80 leads to HTTPS. */
  readonly redirect: boolean
  /** Entries at whose port the gateway listens already, so that somebody may be connected. */
  readonly busy: readonly string[]
  /** By Service: the only paths that are let through. */
  readonly paths: Readonly<Record<string, readonly string[]>>
  /** By add-on: node ports that the user chose. */
  readonly nodePorts: Record<string, number>
  /** A TLS Secret that kubectl telemetry does not create. */
  readonly providedSecret?: ProvidedSecret | undefined
  /** The cert-manager issuer that creates this Secret. */
  readonly issuer?: IssuerRef | undefined
  /** The Kiali whose pages get links to the other add-ons. */
  readonly kiali?: FoundAddon | undefined
  /** Who may enter. */
  readonly guarding: GuardPlan
  /** By add-on: routes that stay closed, because the version of the guard for which they were closed is not here. */
  readonly closed: Readonly<Record<string, string>>
  /** By add-on: until when it is exposed, and whether it may let anyone in. */
  readonly terms: Record<string, Terms>
}

/** One add-on made reachable from outside. */
export interface Exposure {
  /** An add-on, or a Service: see addons/service-name.ts. */
  name: string
  /** The add-on's Service. */
  namespace: string
  service: string
  servicePort: number
  host: string
  secure: boolean
  /** The port that clients use; not known before the API server has chosen a node port. */
  port: number | undefined
  path: string
  url: string
}

/** The entries and hosts of a spec, computed once. */
export function entriesFor(
  { addons, exposed }: Pick<ExposureSpec, 'addons' | 'exposed'>,
  layout: Layout,
  own: Readonly<Record<string, OwnPort>>,
): Pick<ExposureSpec, 'entries' | 'hosts'> {
  const names = [...namesOf(addons), ...exposed.map(({ name }) => name)]
  const entries = [...new Set(names)].sort().map((name) => entryOf(name, layout, own[name]))
  return { entries, hosts: hostsOf(entries.filter((entry) => isSecure(entry, layout))) }
}

/** Each host once that is a name: any host, and an address in its place, is none. */
export function hostsOf(entries: readonly Pick<Entry, 'host'>[]): string[] {
  return [...new Set(entries.map(({ host }) => host))].filter((host) => host !== ANY_HOST && isIP(host) === 0)
}

/** Hosts of Services on the port that all hosts share. */
export function serviceHostsOf(entries: readonly Pick<Entry, 'name' | 'host' | 'own'>[]): string[] {
  return hostsOf(entries.filter(({ name, own }) => own === undefined && serviceNamed(name) !== undefined))
}

/** Whether any entry is served over HTTPS, and so needs a certificate. */
export function servesHttps({ entries, layout }: Pick<ExposureSpec, 'entries' | 'layout'>): boolean {
  return entries.some((entry) => isSecure(entry, layout))
}

export function namesOf(addons: readonly SurveyedAddon[]): string[] {
  return addons.map(({ found }) => found.addon.name)
}

/** The entry of an add-on of the spec. */
export function entryIn({ entries }: Pick<ExposureSpec, 'entries'>, addon: string): Entry {
  const entry = entries.find((one) => one.name === addon)
  if (entry === undefined) throw new Error(`${addon} is no add-on of this exposure`)
  return entry
}

/** The services that get a route: those of requested add-ons, then those of other add-ons whose route changes. */
export function backendsOf(spec: ExposureSpec): Backend[] {
  return [...requestedBackends(spec), ...carriedRoutes(spec).map(({ backend }) => leadingToItsName(backend))]
}

/** A route that is named for one Service leads to no other: somebody may have changed it, and the consent and guard are for that one. */
function leadingToItsName(backend: Backend): Backend {
  const { name: service, namespace } = serviceNamed(backend.name) ?? {}
  return service === undefined || namespace === undefined ? backend : { ...backend, service, namespace }
}

/**
 * One for each of `backendsOf`.
 * @param service of the gateway, present or planned; URLs contain its node ports
 */
export function exposuresOf(spec: ExposureSpec, service: Service): Exposure[] {
  return backendsOf(spec).map((backend) => exposureOf(backend, spec, service))
}

/** By add-on: its URL, also where it is not requested now. */
export function urlsOf(spec: ExposureSpec, service: Service): Record<string, string> {
  const backends = [...spec.exposed.map(({ backend }) => backend), ...requestedBackends(spec)]
  return Object.fromEntries(backends.map((backend) => [backend.name, exposureOf(backend, spec, service).url]))
}

function exposureOf(
  { name: addon, namespace, service: name, port: servicePort, path }: Backend,
  spec: ExposureSpec,
  service: Service,
): Exposure {
  const entry = entryIn(spec, addon)
  const secure = isSecure(entry, spec.layout)
  const host = hostAt(entry.host, spec.address)
  const port = outsidePort(withTarget(spec.address, entry), service, entry.port)
  const url = urlOf({ host, port, path, secure })
  return { name: addon, namespace, service: name, servicePort, host, secure, port, path, url }
}

/** In the network of a node the pods listen at the target, which the Service does not say before it has the port. */
function withTarget(address: IngressAddress, { port, own }: Entry): IngressAddress {
  const { hostPorts } = address
  const target = own?.target
  const isKnown = hostPorts === undefined || hostPorts[port] !== undefined || target === undefined
  return isKnown ? address : { ...address, hostPorts: { ...hostPorts, [port]: target } }
}

/** The host in URLs: the address where any host is served. */
export function hostAt(host: string, { address }: Pick<IngressAddress, 'address'>): string {
  return host === ANY_HOST ? address : host
}

/** The header with the password of a guard: an add-on would check it as one of its own and refuse it. */
const PASSWORD = 'authorization'

/**
 * Request headers that the gateway removes before the add-on: the password of its guard, and those in which the add-on would believe who the
 * user is. An external authorizer that sets such a header speaks for the user: its filter runs before the route removes anything.
 */
export function headersRemoved(addon: string, spec: ExposureSpec): string[] {
  const { addons, moving, exposed, guarding } = spec
  const login = guarding.guards[addon]?.login
  const surveyed = [...addons, ...moving].find(({ found }) => found.addon.name === addon)
  const present = exposed.find((route) => route.name === addon)?.removes.filter((name) => name !== PASSWORD)
  const authorizer = guarding.authorizers.find(({ name }) => login?.kind === 'ext-authz' && name === login.provider)
  const identity = (surveyed?.identityHeaders ?? present ?? []).filter(
    (name) => authorizer === undefined || !isSent(name, authorizer),
  )
  return [...new Set([...(login?.kind === 'basic' ? [PASSWORD] : []), ...identity])]
}

/** What the present routes are compared with. */
type Present = Pick<ExposureSpec, 'addons' | 'exposed' | 'layout' | 'layoutInUse' | 'entries'>

/**
 * Routes of add-ons that are not requested, but are written again: they are stale, or their guard is not as this version writes it. What
 * cannot be read is left unchanged.
 */
function carriedRoutes(spec: ExposureSpec): ExposedRoute[] {
  const stale = staleRoutes(spec)
  const { guarding } = spec
  return otherRoutes(spec)
    .filter(({ name: addon }) => guarding.unread.every((part) => part.name !== addon))
    .filter(
      (route) =>
        stale.includes(route) ||
        !isGuardedAsPlanned(entryIn(spec, route.name), guarding, spec) ||
        mustCover(route.name, spec),
    )
}

/**
 * Whether a policy has to be in force for a host that is new at the gateway. That it is written already shows nothing: the run that wrote
 * it may have ended because the policy had no effect.
 */
export function mustCover(addon: string, spec: ExposureSpec): boolean {
  const { guarding, served, serviceHosts, layout } = spec
  const { cidrs, login } = guarding.guards[addon] ?? {}
  const entry = entryIn(spec, addon)
  const hasPolicy = cidrs !== undefined || login?.kind === 'ext-authz'
  const isShared = entry.own === undefined && isSecure(entry, layout)
  return hasPolicy && isShared && served.includes(entry.host) && serviceHosts.some((host) => !served.includes(host))
}

/** Whether the guard of an add-on must be known: its route is written, or the Gateway leaves it. */
export function needsGuard(addon: string, spec: Present & Pick<ExposureSpec, 'reselects'>): boolean {
  const route = otherRoutes(spec).find((one) => one.name === addon)
  return spec.reselects || route === undefined || route.port === undefined || moves(route, spec)
}

/** Routes of add-ons that are not requested, but move, are those of a former version, or are closed. */
export function staleRoutes(spec: Present): ExposedRoute[] {
  return otherRoutes(spec).filter(
    (route) => moves(route, spec) || route.port === undefined || route.closedFor !== undefined,
  )
}

/** Routes of add-ons that are not requested, but get an entry in another domain or layout. */
export function movedRoutes(spec: Present): ExposedRoute[] {
  return otherRoutes(spec).filter((route) => moves(route, spec))
}

function otherRoutes({ addons, exposed }: Present): ExposedRoute[] {
  const requested = new Set(namesOf(addons))
  return exposed.filter(({ name }) => !requested.has(name))
}

/** Whether an existing route gets another entry. Without a port it was for all ports of its Gateway. */
export function moves(route: ExposedRoute, spec: Present): boolean {
  const { layout, layoutInUse } = spec
  const entry = entryIn(spec, route.name)
  const wasSecure = route.own?.secure ?? layoutInUse?.secure
  return wasSecure !== isSecure(entry, layout) || !isAt({ ...route, port: portInUse(route, layoutInUse) }, entry)
}

/** The port of an existing route; without one it is for the port of the scheme. */
export function portInUse({ port }: ExposedRoute, layoutInUse: ExposureSpec['layoutInUse']): number {
  return port ?? schemePort(layoutInUse?.secure ?? true)
}

function requestedBackends({ addons, paths }: Pick<ExposureSpec, 'addons' | 'paths'>): Backend[] {
  return addons.map(({ found: { addon, service, namespace, port }, path }) => {
    const only = paths[addon.name]
    const found = { name: addon.name, namespace, service: service.metadata.name, port }
    return only === undefined ? { ...found, path } : { ...found, path: only[0] ?? '/', paths: only }
  })
}
