/** Under which host and port of the ingress gateway each add-on is reached: pure. */
import { classicPortOf } from '../addons/catalog.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { hostOf } from './names.ts'

/** `hosts`: a host for each add-on on the scheme's own port. `ports`: one host, a port for each add-on (Istio 1.5 and older). */
export const LAYOUTS = ['hosts', 'ports'] as const
export type LayoutName = (typeof LAYOUTS)[number]

export interface Layout {
  name: LayoutName
  /** HTTPS; otherwise HTTP. */
  secure: boolean
  domain: string
}

/** Where an add-on is reached: a host, and a port of the gateway's Service. */
export interface Entry {
  addon: string
  host: string
  port: number
}

/** A server of an Istio Gateway. */
export interface GatewayServer {
  name: string
  port: number
  hosts: string[]
  /** `redirect` answers every request with the way to HTTPS. */
  serves: 'https' | 'http' | 'redirect'
}

/** What an Istio Gateway has in `spec.servers`, as far as we read it. */
export interface ServerSpec {
  port: { number: number; name: string; protocol: string }
  hosts: string[]
  tls?: { httpsRedirect?: boolean; [field: string]: unknown }
}

/** The first label of the one host that all add-ons share in the layout `ports`. */
const SHARED_HOST = 'telemetry'

export function schemePort(secure: boolean): number {
  return secure ? 443 : 80
}

export function entryOf(addon: string, { name, secure, domain }: Layout): Entry {
  return name === 'hosts'
    ? { addon, host: hostOf(addon, domain), port: schemePort(secure) }
    : { addon, host: hostOf(SHARED_HOST, domain), port: classicPortOf(addon) ?? 0 }
}

/** `example.com` of `grafana.example.com` or `telemetry.example.com`. */
export function domainOf({ addon, host }: Pick<Entry, 'addon' | 'host'>): string | undefined {
  const label = [addon, SHARED_HOST].find((one) => host.startsWith(`${one}.`))
  return label === undefined ? undefined : host.slice(label.length + 1)
}

/**
 * ONE server for all hosts of a port. Each HTTPS server is a filter chain and a route table of its own, so with several of them
 * and one certificate a browser that reuses its HTTP/2 connection for the next host gets 404 (istio#13589). Browsers do not
 * reuse connections across ports.
 * @param redirect whether port 80 leads to HTTPS
 */
export function serversOf(entries: Entry[], { name, secure }: Layout, redirect: boolean): GatewayServer[] {
  const serves = secure ? 'https' : 'http'
  if (name === 'ports')
    return entries.map(({ addon, host, port }) => ({ name: `${serves}-${addon}`, port, hosts: [host], serves }))
  const hosts = entries.map(({ host }) => host)
  const server: GatewayServer = { name: `${serves}-telemetry`, port: schemePort(secure), hosts, serves }
  return redirect ? [server, { name: 'http-redirect', port: 80, hosts, serves: 'redirect' }] : [server]
}

/** What a Gateway of ours serves now, without its redirects. */
export function entriesServed(gateway: KubeObject | undefined): { host: string; port: number; secure: boolean }[] {
  return serversIn(gateway)
    .filter(({ tls }) => tls?.httpsRedirect !== true)
    .flatMap(({ hosts, port }) => hosts.map((host) => ({ host, port: port.number, secure: port.protocol === 'HTTPS' })))
}

export function serversIn(gateway: KubeObject | undefined): ServerSpec[] {
  return ((gateway?.spec ?? {}) as { servers?: ServerSpec[] }).servers ?? []
}

/** The layout that a Gateway of ours has now. */
export function layoutInUse(gateway: KubeObject | undefined): Pick<Layout, 'name' | 'secure'> | undefined {
  const [first] = entriesServed(gateway)
  if (first === undefined) return undefined
  return { name: first.port === schemePort(first.secure) ? 'hosts' : 'ports', secure: first.secure }
}
