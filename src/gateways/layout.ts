/** Pure: the host and port of each add-on at the ingress gateway. */
import { ADDON_NAMES, classicPortOf } from '../addons/catalog.ts'
import { isExposable } from '../addons/service-name.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { digestOf } from '../manifests/probe-paths.ts'
import { type IngressGateway, portFor, portNumbered } from './find.ts'
import { hostOf, isDomain } from './names.ts'

/** `hosts`: each add-on has a host, on the scheme's default port. `ports`: one host, and each add-on has a port (Istio 1.5 and older). */
export const LAYOUTS = ['hosts', 'ports'] as const
export type LayoutName = (typeof LAYOUTS)[number]

export interface Layout {
  name: LayoutName
  /** HTTPS; otherwise HTTP. */
  secure: boolean
  domain: string
  /** The Gateway's port of all hosts, where the Service lacks that of the scheme. */
  port?: number
}

/** The host of an add-on or Service, and the port of the gateway's Service. */
export interface Entry {
  /** An add-on, or a Service: see addons/service-name.ts. */
  name: string
  /** `*` for any host. */
  host: string
  port: number
  /** A port of its own; left out where the layout gives it one. */
  own?: OwnPort | undefined
}

/** A port of the gateway that only one add-on or Service uses. */
export interface OwnPort {
  port: number
  /** HTTPS; otherwise HTTP. */
  secure: boolean
  /** Whether it serves any host, also the bare address. */
  anyHost: boolean
  /** The port of the pods. Left out where only the Service is known to lead to it. */
  target?: number
}

export const ANY_HOST = '*'

/** Whether only one exposure may have a port: those of the schemes are for all hosts of a gateway. */
export function mayBeOwn(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port <= 65_535 && port !== schemePort(true) && port !== schemePort(false)
}

/** Whether an entry is served over HTTPS. */
export function isSecure({ own }: Pick<Entry, 'own'>, { secure }: Pick<Layout, 'secure'>): boolean {
  return own?.secure ?? secure
}

/** A server of an Istio Gateway. */
export interface GatewayServer {
  name: string
  port: number
  hosts: string[]
  /** `redirect` redirects every request to HTTPS. */
  serves: 'https' | 'http' | 'redirect'
}

/** The port at which the layout `hosts` redirects to HTTPS. */
export function redirectPortOf({ name, secure, port }: Omit<Layout, 'domain'>): number | undefined {
  return name === 'hosts' && secure && port === undefined ? schemePort(false) : undefined
}

/** The fields of `spec.servers` of an Istio Gateway that we read. */
export interface ServerSpec {
  port: { number: number; name: string; protocol: string }
  /** Without the namespace. */
  hosts: string[]
  tls?: { httpsRedirect?: boolean; [field: string]: unknown }
}

/** The most characters of a name of an object. */
const LONGEST_NAME = 253

/** The TLS Secret of a Gateway; `undefined` where it names none. */
export function secretNameIn(gateway: KubeObject): string | undefined {
  const names = serversIn(gateway).map(({ tls }) => tls?.credentialName)
  return names.find((name) => typeof name === 'string' && name.length <= LONGEST_NAME) as string | undefined
}

/** First label of the shared host in the layout `ports`. */
const SHARED_HOST = 'telemetry'

export function schemePort(secure: boolean): number {
  return secure ? 443 : 80
}

/** The Gateway's port of all hosts, in the layout `hosts`. */
export function hostsPort({ secure, port }: Pick<Layout, 'secure' | 'port'>): number {
  return port ?? schemePort(secure)
}

/** Whether it is the port of an add-on in the layout `ports`. */
export function isClassicPort(number: number): boolean {
  return ADDON_NAMES.some((addon) => classicPortOf(addon) === number)
}

export function entryOf(addon: string, { name, domain, ...layout }: Layout, own?: OwnPort): Entry {
  if (own !== undefined)
    return { name: addon, host: own.anyHost ? ANY_HOST : hostOf(addon, domain), port: own.port, own }
  return name === 'hosts'
    ? { name: addon, host: hostOf(addon, domain), port: hostsPort(layout) }
    : { name: addon, host: hostOf(SHARED_HOST, domain), port: classicPortOf(addon) ?? 0 }
}

/** `example.com` of `grafana.example.com` or `telemetry.example.com`; `undefined` for what --domain would refuse. */
export function domainOf({ name: addon, host }: Pick<Entry, 'name' | 'host'>): string | undefined {
  const label = [addon, SHARED_HOST].find((one) => host.startsWith(`${one}.`))
  const domain = label === undefined ? undefined : host.slice(label.length + 1)
  return domain !== undefined && isDomain(domain) ? domain : undefined
}

/**
 * The domain that all hosts share: each is `ADDON.DOMAIN` or `telemetry.DOMAIN`.
 * @param recorded the one that the Gateway names: then `SERVICE.NAMESPACE.DOMAIN` is one of its hosts, too
 */
export function domainOfHosts(all: readonly string[], recorded?: string): string | undefined {
  const hosts = all.filter((host) => host !== ANY_HOST)
  const isIn = (host: string, domain: string) =>
    host.endsWith(`.${domain}`) && isOurs(host.slice(0, -domain.length - 1))
  if (recorded !== undefined && isDomain(recorded) && hosts.every((host) => isIn(host, recorded))) return recorded
  const domains = hosts.map((host) => ADDON_NAMES.map((addon) => domainOf({ name: addon, host })).find(Boolean))
  const [domain, another] = new Set(domains)
  return another === undefined ? domain : undefined
}

/** Whether a host without its domain is one that exposing gives. */
function isOurs(exposed: string): boolean {
  return exposed === SHARED_HOST || isExposable(exposed)
}

/**
 * Makes one server for all hosts of a port. Each HTTPS server has its own filter chain and route table, so with several servers and one
 * certificate a browser that reuses its HTTP/2 connection for another host gets 404 (istio#13589). Browsers do not reuse connections
 * across ports.
 * @param redirect whether port 80 redirects to HTTPS
 * @param versions by add-on: of its guard, if it has one
 */
export function serversOf(
  all: readonly Entry[],
  { name, secure, port }: Omit<Layout, 'domain'>,
  redirect: boolean,
  versions: Readonly<Record<string, string>>,
): GatewayServer[] {
  const serves = secure ? 'https' : 'http'
  const named = (prefix: string, guarded: readonly Entry[]) =>
    prefix.startsWith('https') ? prefix + guarded.map(({ name }) => versionIn(name, versions[name])).join('') : prefix
  const [entries, own] = [
    all.filter((entry) => entry.own === undefined),
    all.filter((entry) => entry.own !== undefined),
  ]
  const ownServers = own.map((entry): GatewayServer => {
    const scheme = isSecure(entry, { secure }) ? 'https' : 'http'
    return {
      name: named(`${scheme}${OWN}${entry.port}`, [entry]),
      port: entry.port,
      hosts: [entry.host],
      serves: scheme,
    }
  })
  if (name === 'ports')
    return [
      ...entries.map((entry): GatewayServer => {
        const { name: addon, host, port } = entry
        return { name: named(`${serves}-${addon}`, [entry]), port, hosts: [host], serves }
      }),
      ...ownServers,
    ]
  if (entries.length === 0) return ownServers
  const hosts = entries.map(({ host }) => host)
  const server: GatewayServer = {
    name: named(`${serves}-telemetry`, entries),
    port: hostsPort({ secure, ...(port === undefined ? {} : { port }) }),
    hosts,
    serves,
  }
  const redirecting: GatewayServer[] = redirect ? [{ name: 'http-redirect', port: 80, hosts, serves: 'redirect' }] : []
  return [server, ...redirecting, ...ownServers]
}

/** In the name of the server of a port of its own, between scheme and number. */
const OWN = '-port-'

/**
 * The name of an HTTPS server contains the versions of its guards. Istio names the route table after it: connections that were opened
 * before a guard keep the filters of that time, but find no route any more (404; seen). HTTP servers share a table whatever their name is.
 */
function versionIn(addon: string, version: string | undefined): string {
  return version === undefined ? '' : `-${shortName(addon)}-${version}`
}

/** Istio splits the names of its route tables at dots, and the name of a server is part of them. */
function shortName(exposed: string): string {
  return exposed.includes('.') ? `s${digestOf(exposed).slice(0, 8)}` : exposed
}

/** The name of a server without the versions of add-ons that are no longer exposed. */
export function withoutVersions(name: string, staying: readonly string[]): string {
  const short = staying.map(shortName)
  return name.replace(/-([a-z]+|s[0-9a-f]{8})-[0-9a-f]{4}(?=-|$)/g, (version, addon: string) =>
    short.includes(addon) ? version : '',
  )
}

/** What the user asks for, completed with what is in use and what the Service has. */
export function chooseLayout(
  { layout, insecure }: { layout?: LayoutName | undefined; insecure: boolean },
  inUse: Omit<Layout, 'domain'> | undefined,
  { domain, gateway }: { domain: string; gateway: IngressGateway },
): Layout {
  const [name, secure] = [layout ?? inUse?.name ?? 'hosts', !insecure]
  const hasOwn = portNumbered(gateway.service, schemePort(secure)) !== undefined
  const port = name === 'ports' || hasOwn ? undefined : portFor(gateway, secure)
  return { name, secure, domain, ...(port === undefined ? {} : { port }) }
}

/** Whether a server is of the layout, and not of a port of its own. */
function isShared({ port: { name } }: ServerSpec): boolean {
  return !name.startsWith(`http${OWN}`) && !name.startsWith(`https${OWN}`)
}

/** The entries that our Gateway serves now, without redirects. @param isRead which of its servers; all if left out */
export function entriesServed(
  gateway: KubeObject | undefined,
  isRead: (server: ServerSpec) => boolean = () => true,
): { host: string; port: number; secure: boolean }[] {
  return serversIn(gateway)
    .filter((server) => isRead(server) && server.tls?.httpsRedirect !== true)
    .flatMap(({ hosts, port }) => hosts.map((host) => ({ host, port: port.number, secure: port.protocol === 'HTTPS' })))
}

/** The servers, with hosts without the namespace: in `NAMESPACE/HOST` it limits which routes may use the host. */
export function serversIn(gateway: KubeObject | undefined): ServerSpec[] {
  const { servers = [] } = (gateway?.spec ?? {}) as { servers?: (Omit<ServerSpec, 'hosts'> & { hosts?: string[] })[] }
  return servers.map(({ hosts = [], ...server }) => ({
    ...server,
    hosts: hosts.map((host) => host.slice(host.indexOf('/') + 1)),
  }))
}

/** The present layout of our Gateway. */
export function layoutInUse(gateway: KubeObject | undefined): Omit<Layout, 'domain'> | undefined {
  const [first] = entriesServed(gateway, isShared)
  if (first === undefined) return undefined
  const { host, port, secure } = first
  if (host.startsWith(`${SHARED_HOST}.`)) return { name: 'ports', secure }
  return { name: 'hosts', secure, ...(port === schemePort(secure) ? {} : { port }) }
}
