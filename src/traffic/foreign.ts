/**
 * Hosts that Gateways of others serve at an ingress gateway, and where their VirtualServices lead. Anybody may write such objects: they say
 * which host and port of a known gateway to ask, and never another address. Pure.
 */
import { isIP } from 'node:net'
import type { KubeObject } from '../cluster/cluster.ts'
import { isStaying } from '../cluster/objects.ts'
import { type IngressAddress, outsidePort } from '../gateways/address.ts'
import { applies, covers, kindOf } from '../gateways/conflicts.ts'
import type { IngressGateway } from '../gateways/find.ts'
import { ANY_HOST, serversIn } from '../gateways/layout.ts'
import { isNamedByExposing } from '../gateways/made-by-exposing.ts'
import { isDomain } from '../gateways/names.ts'
import { listOf, mapOf, textOf, textsOf } from '../shapes.ts'
import { isPlainPath } from '../text.ts'

/** A Service that receives the requests. */
export interface Destination {
  service: string
  namespace: string
}

/** An ingress gateway with an address outside. */
export interface Reached {
  gateway: IngressGateway
  address: IngressAddress
}

/** A server of somebody's Gateway, and one of its hosts. */
export interface Served extends Reached {
  /** `*`, `*.example.com` or a name. */
  claim: string
  secure: boolean
  /** The port of the gateway's Service, and that outside. */
  number: number
  port: number
  object: KubeObject
  /** The TLS Secret in the gateway's namespace. */
  secret?: string
}

/** A Service behind a host of others. */
export interface ForeignRoute {
  served: Served
  host: string
  path: string
}

/** @param objects all Gateways */
export function servedHosts(reached: readonly Reached[], objects: readonly KubeObject[]): Served[] {
  const theirs = objects.filter((object) => isStaying(object) && !isNamedByExposing(object))
  return reached.flatMap(({ gateway, address }) =>
    theirs
      .filter((object) => gateway.pods.some((pod) => applies(object, pod)))
      .flatMap((object) =>
        serversIn(object).flatMap((server) => {
          const { number } = mapOf(server.port)
          const port = typeof number === 'number' ? outsidePort(address, gateway.service, number) : undefined
          const kind = kindOf(server)
          if (typeof number !== 'number' || port === undefined || kind === 'tcp') return []
          const secret = textOf(mapOf(server.tls).credentialName)
          const place = { gateway, address, secure: kind === 'tls', number, port, object }
          return textsOf(server.hosts).map((claim) => ({
            ...place,
            claim,
            ...(secret === undefined ? {} : { secret }),
          }))
        }),
      ),
  )
}

/** The servers that answer for a URL. A port of the gateway's Service is meant as well as the one outside, which may be a node port. */
export function serving(url: URL, served: readonly Served[]): Served[] {
  const secure = url.protocol === 'https:'
  const port = Number(url.port) || (secure ? 443 : 80)
  const host = hostIn(url)
  return served.filter(
    (one) => one.secure === secure && (one.port === port || one.number === port) && covers(one.claim, host),
  )
}

/** Without the brackets of an IPv6 address. */
export function hostIn({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '')
}

/** The Service behind a host, if all routes lead to one. */
export function destinationOf(
  { object }: Pick<Served, 'object'>,
  host: string,
  virtualServices: readonly KubeObject[],
): Destination | undefined {
  const routes = virtualServices.filter(
    (one) => isStaying(one) && isBoundTo(one, object) && hostsOf(one).some((name) => covers(name, host)),
  )
  const found = routes.flatMap((one) => rulesOf(one).flatMap(({ destinations }) => destinations))
  const [first] = found
  return found.every((one) => isSame(one, first)) ? first : undefined
}

/** Hosts of others at which a Service is reached. */
export function routesTo(
  wanted: Destination,
  served: readonly Served[],
  virtualServices: readonly KubeObject[],
): ForeignRoute[] {
  return virtualServices.filter(isStaying).flatMap((route) => {
    const rule = rulesOf(route).find(({ destinations }) => destinations.some((one) => isSame(one, wanted)))
    if (rule === undefined) return []
    return served
      .filter(({ object }) => isBoundTo(route, object))
      .flatMap((one) =>
        hostsOf(route).flatMap((name) => {
          const host = commonHost(name, one)
          return host === undefined ? [] : [{ served: one, host, path: rule.path }]
        }),
      )
  })
}

/** The host that both a route and a server have; the address where both have any host. */
function commonHost(name: string, { claim, address }: Pick<Served, 'claim' | 'address'>): string | undefined {
  if (name === ANY_HOST && claim === ANY_HOST) return address.address
  const host = name === ANY_HOST ? claim : name
  return covers(claim, host) && (isDomain(host) || isIP(host) !== 0) ? host : undefined
}

function isSame(one: Destination, other: Destination | undefined): boolean {
  return one.service === other?.service && one.namespace === other.namespace
}

function hostsOf({ spec }: KubeObject): string[] {
  return textsOf(mapOf(spec).hosts)
}

/** A route names Gateways of its own namespace, or `NAMESPACE/NAME`. */
function isBoundTo({ spec, metadata: { namespace } }: KubeObject, gateway: KubeObject): boolean {
  const name = `${gateway.metadata.namespace}/${gateway.metadata.name}`
  return textsOf(mapOf(spec).gateways).some((one) => (one.includes('/') ? one : `${namespace}/${one}`) === name)
}

function rulesOf({ spec, metadata: { namespace = '' } }: KubeObject): { path: string; destinations: Destination[] }[] {
  return listOf(mapOf(spec).http).map((rule) => ({
    path: pathOf(mapOf(rule).match),
    destinations: listOf(mapOf(rule).route).flatMap(
      (one) => destinationNamed(textOf(mapOf(mapOf(one).destination).host) ?? '', namespace) ?? [],
    ),
  }))
}

/** A path that the rule lets through. */
function pathOf(match: unknown): string {
  const paths = listOf(match)
    .map((one) => mapOf(mapOf(one).uri))
    .map(({ exact, prefix }) => textOf(exact) ?? textOf(prefix) ?? '')
  return paths.find((path) => path !== '' && isPlainPath(path)) ?? '/'
}

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** A Service by its names, if they can be names: they become part of queries. */
export function destinationIn(service: string, namespace: string): Destination | undefined {
  return LABEL.test(service) && LABEL.test(namespace) ? { service, namespace } : undefined
}

/** `productpage` in the route's namespace, or `productpage.bookinfo.svc.cluster.local`. */
function destinationNamed(host: string, namespace: string): Destination | undefined {
  const [, service = '', place = namespace] =
    /^([a-z0-9-]{1,63})(?:\.([a-z0-9-]{1,63})\.svc(?:\.[a-z0-9.-]{1,200})?)?$/.exec(host) ?? []
  return destinationIn(service, place)
}
