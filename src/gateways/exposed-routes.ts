/** What is exposed already, read from our VirtualServices: pure. The truth about what we made is in the cluster. */
import type { KubeObject } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { componentOf, isOwned } from '../cluster/ownership.ts'
import { addressesIn } from './address-domain.ts'
import { portNumbered } from './find.ts'
import { domainOf, type Entry, entriesServed, type Layout } from './layout.ts'

/** Where an add-on's page is inside the cluster. */
export interface Backend {
  addon: string
  namespace: string
  service: string
  port: number
  path: string
}

/** An add-on that has a host, and the VirtualService that says so. */
export interface ExposedRoute {
  addon: string
  host: string
  /** The Gateway's port, where the route is for one port only. */
  port: number | undefined
  backend: Backend
  object: KubeObject
}

interface RouteSpec {
  hosts?: string[]
  http?: {
    match?: { port?: number }[]
    redirect?: { uri?: string }
    route?: { destination: { host: string; port?: { number: number } } }[]
  }[]
}

/** @param virtualServices those of the gateway's namespace, anybody's */
export function exposedRoutes(virtualServices: KubeObject[]): ExposedRoute[] {
  return virtualServices.filter(isOwned).flatMap((object) => {
    const { hosts = [], http = [] } = object.spec as RouteSpec
    const [addon, host] = [componentOf(object), hosts[0]]
    if (addon === undefined || host === undefined) return []
    const port = http.flatMap(({ match = [] }) => match)[0]?.port
    return [{ addon, host, port, backend: backendOf(addon, http), object }]
  })
}

function backendOf(addon: string, http: NonNullable<RouteSpec['http']>): Backend {
  const path = http.find(({ redirect }) => redirect?.uri !== undefined)?.redirect?.uri ?? '/'
  const destination = http.flatMap(({ route = [] }) => route)[0]?.destination
  // SERVICE.NAMESPACE.svc.cluster.local
  const [service = '', namespace = ''] = destination?.host.split('.') ?? []
  return { addon, namespace, service, port: destination?.port?.number ?? 0, path }
}

/** The domain that what is exposed shares. */
export function domainInUse(routes: ExposedRoute[]): string | undefined {
  return routes.map(domainOf).find((one) => one !== undefined)
}

/**
 * That domain, unless it has an address in its name and the gateway no longer has that.
 * @param addresses the gateway's
 */
export function stillInUse(domain: string | undefined, addresses: string[]): string | undefined {
  const inName = domain === undefined ? [] : addressesIn(domain)
  return inName.length === 0 || inName.some((address) => addresses.includes(address)) ? domain : undefined
}

/** Whether a route leads to its add-on from this entry. */
export function isAt({ host, port }: ExposedRoute, entry: Entry, { name }: Layout): boolean {
  return host === entry.host && port === (name === 'ports' ? entry.port : undefined)
}

/**
 * Whether what is there is what was planned: a route for each of these entries, no other, and a Gateway that lists just them. One
 * that was not planned for is another run's, whose certificate ours may have replaced.
 * @param present Gateways and the VirtualServices of our Gateway's namespace
 * @param service the gateway's, where it needs ports for the entries
 */
export function isWhole(present: KubeObject[], entries: Entry[], layout: Layout, service?: Service): boolean {
  const routes = exposedRoutes(present.filter(({ kind }) => kind === 'VirtualService'))
  const gateway = present.find((object) => object.kind === 'Gateway' && isOwned(object))
  const served = entriesServed(gateway).map(({ host, port, secure }) => `${host}:${port} ${secure}`)
  const planned = entries.map(({ host, port }) => `${host}:${port} ${layout.secure}`)
  return (
    routes.length === entries.length &&
    entries.every((entry) => routes.some((route) => route.addon === entry.addon && isAt(route, entry, layout))) &&
    served.sort().join() === planned.sort().join() &&
    (service === undefined || entries.every(({ port }) => portNumbered(service, port) !== undefined))
  )
}
