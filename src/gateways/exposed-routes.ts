/** Pure: reads the present exposures from our VirtualServices. Only the cluster knows them, so nothing is stored elsewhere. */
import { serviceNamed } from '../addons/service-name.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { componentOf, ownPortOf } from '../cluster/ownership.ts'
import { CLOSED_FOR, NO_PATH, pathIn } from '../manifests/virtual-service.ts'
import { textsOf } from '../shapes.ts'
import { isHeaderName, isPlainPath } from '../text.ts'
import { addressesIn } from './address-domain.ts'
import { portNumbered } from './find.ts'
import {
  ANY_HOST,
  domainOf,
  type Entry,
  entriesServed,
  isSecure,
  type Layout,
  mayBeOwn,
  type OwnPort,
} from './layout.ts'
import { isNamedByExposing } from './made-by-exposing.ts'

/** Service, port and path of a page. */
export interface Backend {
  /** An add-on, or a Service: see addons/service-name.ts. */
  name: string
  namespace: string
  service: string
  port: number
  path: string
  /** The only paths of a Service that are let through; all if left out. */
  paths?: readonly string[] | undefined
}

/** An exposed add-on, read from its VirtualService. */
export interface ExposedRoute {
  /** An add-on, or a Service: see addons/service-name.ts. */
  name: string
  host: string
  /** The Gateway's port. Undefined in a route of a former version, which is for all ports. */
  port: number | undefined
  /** If that port is its own. */
  own?: OwnPort
  backend: Backend
  /** The version of the guard for which the route is closed; undefined when it is open. */
  closedFor: string | undefined
  /** Request headers that it removes, in lower case. */
  removes: string[]
  object: KubeObject
}

interface RouteSpec {
  hosts?: string[]
  http?: {
    name?: string
    directResponse?: object
    match?: { port?: number; uri?: { exact?: unknown; regex?: unknown } }[]
    redirect?: { uri?: string }
    route?: {
      destination: { host: string; port?: { number: number } }
      headers?: { request?: { remove?: string[] } }
    }[]
  }[]
}

/** @param virtualServices all VirtualServices of the gateway's namespace */
export function exposedRoutes(virtualServices: KubeObject[]): ExposedRoute[] {
  return virtualServices.flatMap((object) => {
    if (!isNamedByExposing(object)) return []
    const { hosts = [], http = [] } = (object.spec ?? {}) as RouteSpec
    const [addon, host] = [componentOf(object), hosts[0]]
    if (addon === undefined || host === undefined) return []
    const port = http.flatMap(({ match = [] }) => match)[0]?.port
    return [
      {
        name: addon,
        host,
        port,
        ...ownPort(object, host, port),
        backend: backendOf(addon, http),
        closedFor: versionWanted(http[0]),
        removes: removedBy(http),
        object,
      },
    ]
  })
}

function ownPort(object: KubeObject, host: string, port: number | undefined): Pick<ExposedRoute, 'own'> {
  const own = ownPortOf(object)
  return own === undefined || port === undefined || !mayBeOwn(port)
    ? {}
    : { own: { port, ...own, anyHost: host === ANY_HOST } }
}

/** Of the first rule, which takes all requests when the route is closed. */
function versionWanted(rule: NonNullable<RouteSpec['http']>[number] | undefined): string | undefined {
  const isClosed = rule?.name?.startsWith(CLOSED_FOR) === true && rule.directResponse !== undefined
  return isClosed ? rule.name?.slice(CLOSED_FOR.length) : undefined
}

function removedBy(http: NonNullable<RouteSpec['http']>): string[] {
  const removed = http.flatMap(({ route = [] }) => route).flatMap(({ headers }) => textsOf(headers?.request?.remove))
  return [...new Set(removed.filter(isHeaderName))]
}

function backendOf(addon: string, http: NonNullable<RouteSpec['http']>): Backend {
  const leading = http.find(({ route = [] }) => route.length > 0)
  const destination = leading?.route?.[0]?.destination
  // SERVICE.NAMESPACE.svc.cluster.local
  const [service = '', namespace = ''] = destination?.host.split('.') ?? []
  const found = { name: addon, namespace, service, port: destination?.port?.number ?? 0 }
  const paths = serviceNamed(addon) === undefined ? [] : pathsOf(leading)
  const home = http.find(({ redirect }) => redirect?.uri !== undefined)?.redirect?.uri ?? '/'
  return paths.length === 0 ? { ...found, path: home } : { ...found, path: paths[0] ?? '/', paths }
}

/** The paths of a Service that a rule lets through; none if all are. Somebody may have written another condition: it lets nothing through. */
function pathsOf(rule: NonNullable<RouteSpec['http']>[number] | undefined): string[] {
  const conditions = (rule?.match ?? []).map(({ uri }) => uri)
  if (conditions.every((uri) => uri === undefined)) return []
  const paths = conditions.map(pathIn).filter((path) => path !== undefined && isPlainPath(path)) as string[]
  return paths.length === 0 ? [NO_PATH] : paths
}

/** The common domain of the exposed hosts. */
export function domainInUse(routes: readonly ExposedRoute[]): string | undefined {
  return routes.map(domainOf).find((one) => one !== undefined)
}

/**
 * The domain, unless it contains an address that the gateway no longer has.
 * @param addresses addresses of the gateway
 */
export function stillInUse(domain: string | undefined, addresses: string[]): string | undefined {
  const inName = domain === undefined ? [] : addressesIn(domain)
  return inName.length === 0 || inName.some((address) => addresses.includes(address)) ? domain : undefined
}

/** The entries for which the gateway's Service needs a port of their own. */
export function needingPorts(entries: readonly Entry[], { name }: Pick<Layout, 'name'>): Entry[] {
  return entries.filter(({ own }) => name === 'ports' || own !== undefined)
}

/** Whether a route is for this host and port. */
export function isAt({ host, port }: ExposedRoute, entry: Entry): boolean {
  return host === entry.host && port === entry.port
}

/**
 * Whether the present objects are as planned: exactly one route for each entry, and a Gateway with exactly these entries. Any other entry
 * comes from another run, whose certificate ours may have replaced.
 * @param present the Gateways and VirtualServices of our Gateway's namespace
 * @param service the gateway's Service, if it needs ports for the entries
 */
export function isWhole(present: KubeObject[], entries: readonly Entry[], layout: Layout, service?: Service): boolean {
  const routes = exposedRoutes(present.filter(({ kind }) => kind === 'VirtualService'))
  const gateway = present.find((object) => object.kind === 'Gateway' && isNamedByExposing(object))
  const served = entriesServed(gateway).map(({ host, port, secure }) => `${host}:${port} ${secure}`)
  const planned = entries.map((entry) => `${entry.host}:${entry.port} ${isSecure(entry, layout)}`)
  return (
    routes.length === entries.length &&
    entries.every((entry) => routes.some((route) => route.name === entry.name && isAt(route, entry))) &&
    served.sort().join() === planned.sort().join() &&
    (service === undefined ||
      needingPorts(entries, layout).every(({ port }) => portNumbered(service, port) !== undefined))
  )
}
