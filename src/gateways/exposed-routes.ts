/** Pure: reads the present exposures from our VirtualServices. Only the cluster knows them, so nothing is stored elsewhere. */
import type { KubeObject } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { componentOf } from '../cluster/ownership.ts'
import { CLOSED_FOR } from '../manifests/virtual-service.ts'
import { textsOf } from '../shapes.ts'
import { isHeaderName } from '../text.ts'
import { addressesIn } from './address-domain.ts'
import { portNumbered } from './find.ts'
import { domainOf, type Entry, entriesServed, type Layout } from './layout.ts'
import { isNamedByExposing } from './made-by-exposing.ts'

/** Service, port and path of an add-on's page. */
export interface Backend {
  addon: string
  namespace: string
  service: string
  port: number
  path: string
}

/** An exposed add-on, read from its VirtualService. */
export interface ExposedRoute {
  addon: string
  host: string
  /** The Gateway's port. Undefined in a route of a former version, which is for all ports. */
  port: number | undefined
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
    match?: { port?: number }[]
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
        addon,
        host,
        port,
        backend: backendOf(addon, http),
        closedFor: versionWanted(http[0]),
        removes: removedBy(http),
        object,
      },
    ]
  })
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
  const path = http.find(({ redirect }) => redirect?.uri !== undefined)?.redirect?.uri ?? '/'
  const destination = http.flatMap(({ route = [] }) => route)[0]?.destination
  // SERVICE.NAMESPACE.svc.cluster.local
  const [service = '', namespace = ''] = destination?.host.split('.') ?? []
  return { addon, namespace, service, port: destination?.port?.number ?? 0, path }
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
  const planned = entries.map(({ host, port }) => `${host}:${port} ${layout.secure}`)
  return (
    routes.length === entries.length &&
    entries.every((entry) => routes.some((route) => route.addon === entry.addon && isAt(route, entry))) &&
    served.sort().join() === planned.sort().join() &&
    (service === undefined || entries.every(({ port }) => portNumbered(service, port) !== undefined))
  )
}
