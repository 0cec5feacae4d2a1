/** The plan of an exposure: pure. Dry run, confirmation, applying and the page at the end are this value seen four ways. */
import { type GuardPlan, planGuards } from '../access/guard-plan.ts'
import { rowsOf } from '../addons/catalog.ts'
import type { FoundAddon } from '../addons/find.ts'
import type { SurveyedAddon } from '../addons/survey.ts'
import { type Authority, trustedWith } from '../certificates/authority.ts'
import type { BroughtSecret } from '../certifying/provided-secret.ts'
import type { Wanted } from '../changes/changes.ts'
import type { Service } from '../cluster/objects.ts'
import { CERTIFICATES, gateways, SECRETS, SERVICES, virtualServices } from '../cluster/resources.ts'
import { type IngressAddress, outsidePort } from '../gateways/address.ts'
import { type Backend, type ExposedRoute, isAt } from '../gateways/exposed-routes.ts'
import type { IngressGateway } from '../gateways/find.ts'
import { type Entry, entryOf, type Layout, serversOf } from '../gateways/layout.ts'
import { urlOf } from '../gateways/names.ts'
import { ownPorts, planPorts } from '../gateways/service-ports.ts'
import { certificate as certificateManifest, type IssuerRef } from '../manifests/certificate.ts'
import { gateway as gatewayManifest } from '../manifests/gateway.ts'
import { servicePorts } from '../manifests/service-ports.ts'
import { tlsSecret } from '../manifests/tls-secret.ts'
import { virtualService } from '../manifests/virtual-service.ts'
import { annotationsOf, type Terms } from './terms.ts'

export interface ExposureRequest {
  istioVersion: string
  gateway: IngressGateway
  address: IngressAddress
  layout: Layout
  /** The layout of what is exposed already. */
  layoutInUse: Pick<Layout, 'name' | 'secure'> | undefined
  addons: SurveyedAddon[]
  /** Add-ons at this gateway that are exposed already, whether asked for again or not. */
  exposed: ExposedRoute[]
  /** Whether port 80 leads to HTTPS. */
  redirect: boolean
  /** By add-on: node ports that were asked for. */
  nodePorts: Record<string, number>
  /** The Secret that people made themselves; ours when left out. */
  brought?: BroughtSecret | undefined
  /** Who makes that Secret, where cert-manager does. */
  issuer?: IssuerRef | undefined
  /** The Kiali whose pages are to link to the others. */
  kiali?: FoundAddon | undefined
  /** Who may enter. */
  guarding: GuardPlan
  /** Until when, by add-on. */
  terms: Record<string, Terms>
}

/** One add-on made reachable from outside. */
export interface Exposure {
  addon: string
  /** The namespace of the add-on. */
  namespace: string
  host: string
  /** The port that clients use; not known before the API server has chosen a node port. */
  port: number | undefined
  path: string
  url: string
}

/** PEM: what the gateway serves with. */
export interface ServingCertificate {
  leaf: { certificate: string; key: string }
  authority: Pick<Authority, 'certificate' | 'next'>
  signedOn: string | undefined
}

/** Every entry there will be: those asked for, and those that were there. They share a domain and a layout, so all are in it. */
export function entriesOf({ addons, exposed, layout }: ExposureRequest): Entry[] {
  const names = [...addons.map(({ found }) => found.addon.name), ...exposed.map(({ addon }) => addon)]
  return [...new Set(names)].sort().map((name) => entryOf(name, layout))
}

/** The names that the certificate has to have. */
export function hostsOf(request: ExposureRequest): string[] {
  return [...new Set(entriesOf(request).map(({ host }) => host))]
}

/**
 * The manifests in an order that never serves a half: a Gateway that names a missing Secret stalls every tenant of its port for
 * 15 s (Envoy's initial fetch), so the Secret is before it, and its routes too. Nothing is routed before what guards it is there. Ports of the Service come first: nothing listens
 * there yet, and they are what is most likely to be refused (a dry run does not look at the range of node ports).
 * @param certificate left out: HTTP, or a Secret that was brought
 */
export function planExposure(request: ExposureRequest, certificate: ServingCertificate | undefined): Wanted[] {
  const { istioVersion, gateway, addons, layout, redirect, brought } = request
  const { namespace, selector } = gateway
  const backends = [...addons.map(backendOf), ...movedRoutes(request).map(({ backend }) => backend)]
  const servers = serversOf(entriesOf(request), layout, redirect)
  return [
    ...portsOf(request),
    ...(certificate === undefined ? [] : [secretOf(namespace, certificate)]),
    ...certificatesOf(request),
    ...planGuards(
      backends.map(({ addon }) => addon),
      request.guarding,
      request,
    ),
    ...backends.map((backend) => routeOf(backend, request)),
    {
      resource: gateways(istioVersion),
      manifest: gatewayManifest(gateways(istioVersion), {
        namespace,
        selector,
        servers,
        credentialName: brought?.name,
      }),
    },
  ]
}

/**
 * What will be reachable: add-ons asked for, then those that move with them.
 * @param service the gateway's, as it is or will be: its node ports are in URLs
 */
export function exposuresOf(request: ExposureRequest, service: Service): Exposure[] {
  const backends = [...request.addons.map(backendOf), ...movedRoutes(request).map(({ backend }) => backend)]
  return backends.map((backend) => exposureOf(backend, request, service))
}

/** Every add-on's URL: of those asked for, and of those that were exposed before. */
export function urlsOf(request: ExposureRequest, service: Service): Record<string, string> {
  const backends = [...request.exposed.map(({ backend }) => backend), ...request.addons.map(backendOf)]
  return Object.fromEntries(backends.map((backend) => [backend.addon, exposureOf(backend, request, service).url]))
}

function exposureOf({ addon, namespace, path }: Backend, request: ExposureRequest, service: Service): Exposure {
  const { layout, address } = request
  const { host, port: number } = entryOf(addon, layout)
  const port = outsidePort(address, service, number)
  return { addon, namespace, host, port, path, url: urlOf({ host, port, path, secure: layout.secure }) }
}

/** Add-ons nobody asked for now, whose entries are in another domain or layout. */
export function movedRoutes({ addons, exposed, layout, layoutInUse }: ExposureRequest): ExposedRoute[] {
  const asked = new Set(addons.map(({ found }) => found.addon.name))
  return exposed.filter(
    (route) =>
      !asked.has(route.addon) &&
      (layoutInUse?.secure !== layout.secure || !isAt(route, entryOf(route.addon, layout), layout)),
  )
}

function backendOf({ found: { addon, service, namespace, port }, path }: SurveyedAddon): Backend {
  return { addon: addon.name, namespace, service: service.metadata.name, port, path }
}

function secretOf(namespace: string, { leaf, authority, signedOn }: ServingCertificate): Wanted {
  return {
    resource: SECRETS,
    manifest: tlsSecret({ namespace, ...leaf, authorityCertificate: trustedWith(authority), signedOn }),
  }
}

function certificatesOf(request: ExposureRequest): Wanted[] {
  const { issuer, gateway } = request
  if (issuer === undefined) return []
  return [{ resource: CERTIFICATES, manifest: certificateManifest(gateway.namespace, hostsOf(request), issuer) }]
}

function routeOf(backend: Backend, { istioVersion, gateway, layout, terms, guarding }: ExposureRequest): Wanted {
  const { addon, path, ...destination } = backend
  const { host, port } = entryOf(addon, layout)
  const resource = virtualServices(istioVersion)
  const manifest = virtualService(resource, {
    namespace: gateway.namespace,
    addonName: addon,
    host,
    port: layout.name === 'ports' ? port : undefined,
    path,
    allowed: rowsOf(addon)[0]?.allowed,
    annotations: annotationsOf(terms[addon]),
    withoutAuthorization: guarding.guards[addon]?.login?.kind === 'basic',
    destination,
  })
  return { resource, manifest }
}

/** The layout `ports` adds what the Service lacks; the other takes back what that had added. */
function portsOf(request: ExposureRequest): Wanted[] {
  const { gateway, layout, nodePorts } = request
  const { name, namespace = '' } = gateway.service.metadata
  const ports = layout.name === 'ports' ? planPorts(gateway.service, entriesOf(request), nodePorts) : []
  if (ports.length === 0 && ownPorts(gateway.service).length === 0) return []
  return [{ resource: SERVICES, manifest: servicePorts({ name, namespace }, ports), by: 'sharing' }]
}
