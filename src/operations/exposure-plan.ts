/** The plan of an exposure: pure. Dry run, confirmation, applying and the page at the end are this value seen four ways. */
import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { gateways, SECRETS, virtualServices } from '../cluster/resources.ts'
import type { IngressAddress } from '../gateways/address.ts'
import type { IngressGateway } from '../gateways/find.ts'
import { hostOf, urlOf } from '../gateways/names.ts'
import { gateway as gatewayManifest } from '../manifests/gateway.ts'
import { tlsSecret } from '../manifests/tls-secret.ts'
import { virtualService } from '../manifests/virtual-service.ts'
import { domainOf, type ExposedRoute, rehosted } from './exposed.ts'
import type { SurveyedAddon } from './survey-addons.ts'

export interface ExposureRequest {
  istioVersion: string
  gateway: IngressGateway
  address: IngressAddress
  domain: string
  addons: SurveyedAddon[]
  /** Add-ons at this gateway that are exposed already, whether asked for again or not. */
  exposed: ExposedRoute[]
}

/** One add-on made reachable from outside. */
export interface Exposure {
  addon: string
  /** The namespace of the add-on. */
  namespace: string
  host: string
  path: string
  url: string
}

export interface Wanted {
  resource: Resource
  manifest: KubeObject
}

export interface ExposurePlan {
  /** Those asked for, then those that move to another host with them. */
  exposures: Exposure[]
  /** In the order in which they are applied. */
  manifests: Wanted[]
}

/** PEM: what the gateway serves with. */
export interface ServingCertificate {
  leaf: { certificate: string; key: string }
  authority: { certificate: string }
}

/** Every host there will be: those asked for, and those that were there. One authority vouches for one domain, so all are in it. */
export function hostsOf({ addons, exposed, domain }: ExposureRequest): string[] {
  const names = [...addons.map(({ found }) => found.addon.name), ...exposed.map(({ addon }) => addon)]
  return [...new Set(names)].sort().map((name) => hostOf(name, domain))
}

/**
 * The manifests in an order that never serves a half: a Gateway that names a missing Secret stalls every tenant of its port for
 * 15 s (Envoy's initial fetch), so the Secret is first and the Gateway last.
 */
export function planExposure(request: ExposureRequest, { leaf, authority }: ServingCertificate): ExposurePlan {
  const { istioVersion, gateway, addons } = request
  const { namespace, selector } = gateway
  const moved = movedRoutes(request)
  const secret = tlsSecret({ namespace, ...leaf, authorityCertificate: authority.certificate })
  const server = gatewayManifest(gateways(istioVersion), { namespace, selector, hosts: hostsOf(request) })
  return {
    exposures: [...addons.map((addon) => exposureOf(addon, request)), ...moved.map((route) => moveOf(route, request))],
    manifests: [
      { resource: SECRETS, manifest: secret },
      ...addons.map((addon) => routeOf(addon, request)),
      ...moved.map((route) => ({
        resource: virtualServices(istioVersion),
        manifest: rehosted(route, hostOf(route.addon, request.domain)),
      })),
      { resource: gateways(istioVersion), manifest: server },
    ],
  }
}

/** Add-ons nobody asked for now, whose hosts are in another domain. */
export function movedRoutes({ addons, exposed, domain }: ExposureRequest): ExposedRoute[] {
  const asked = new Set(addons.map(({ found }) => found.addon.name))
  return exposed.filter((route) => !asked.has(route.addon) && domainOf(route) !== domain)
}

function exposureOf(
  { found: { addon, namespace }, path }: SurveyedAddon,
  { domain, address }: ExposureRequest,
): Exposure {
  const host = hostOf(addon.name, domain)
  return { addon: addon.name, namespace, host, path, url: urlOf(host, address.port, path) }
}

function moveOf({ addon, path, object }: ExposedRoute, { domain, address }: ExposureRequest): Exposure {
  const host = hostOf(addon, domain)
  return { addon, namespace: addonNamespace(object), host, path, url: urlOf(host, address.port, path) }
}

/** From the route's destination, `SERVICE.NAMESPACE.svc.cluster.local`. */
function addonNamespace({ spec }: KubeObject): string {
  const { http = [] } = spec as { http?: { route?: { destination: { host: string } }[] }[] }
  return http.flatMap(({ route = [] }) => route)[0]?.destination.host.split('.')[1] ?? ''
}

function routeOf({ found, path }: SurveyedAddon, { istioVersion, gateway, domain }: ExposureRequest): Wanted {
  const { addon, service, namespace, port } = found
  const resource = virtualServices(istioVersion)
  const manifest = virtualService(resource, {
    namespace: gateway.namespace,
    addonName: addon.name,
    host: hostOf(addon.name, domain),
    path,
    allowed: addon.allowed,
    destination: { service: service.metadata.name, namespace, port },
  })
  return { resource, manifest }
}
