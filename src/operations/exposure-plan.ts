/** The plan of an exposure: pure. Dry run, confirmation, applying and the page at the end are this value seen four ways. */
import type { FoundAddon } from '../addons/find.ts'
import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { gateways, SECRETS, virtualServices } from '../cluster/resources.ts'
import type { IngressAddress } from '../gateways/address.ts'
import type { IngressGateway } from '../gateways/find.ts'
import { hostOf, urlOf } from '../gateways/names.ts'
import { gateway as gatewayManifest } from '../manifests/gateway.ts'
import { GATEWAY_NAME, TLS_SECRET_NAME, virtualServiceName } from '../manifests/names.ts'
import { tlsSecret } from '../manifests/tls-secret.ts'
import { virtualService } from '../manifests/virtual-service.ts'

export interface ExposureRequest {
  istioVersion: string
  gateway: IngressGateway
  address: IngressAddress
  domain: string
  addons: { found: FoundAddon }[]
}

/** One add-on made reachable from outside. */
export interface Exposure {
  addon: string
  title: string
  /** The add-on's. */
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
  exposures: Exposure[]
  /** In the order in which they are applied. */
  manifests: Wanted[]
}

/** Where an object is or will be. */
export interface ObjectPlace {
  resource: Resource
  name: string
  namespace: string
}

/** PEM: what the gateway serves with. */
export interface ServingCertificate {
  leaf: { certificate: string; key: string }
  authority: { certificate: string }
}

/** Names of the objects the plan will have, in its order: what is there under them is read first. */
export function namesOf({ istioVersion, gateway, addons }: ExposureRequest): ObjectPlace[] {
  const { namespace } = gateway
  return [
    { resource: SECRETS, name: TLS_SECRET_NAME, namespace },
    ...addons.map(({ found }) => ({
      resource: virtualServices(istioVersion),
      name: virtualServiceName(found.addon.name),
      namespace,
    })),
    { resource: gateways(istioVersion), name: GATEWAY_NAME, namespace },
  ]
}

/** Where and how the add-ons will be reached. */
export function exposuresOf({ addons, domain, address }: ExposureRequest): Exposure[] {
  return addons.map(({ found: { addon, namespace } }) => {
    const host = hostOf(addon.name, domain)
    const { name, title, basePath } = addon
    return { addon: name, title, namespace, host, path: basePath, url: urlOf(host, address.port, basePath) }
  })
}

/**
 * The manifests in an order that never serves a half: a Gateway that names a missing Secret stalls every tenant of its port for
 * 15 s (Envoy's initial fetch), so the Secret is first and the Gateway last.
 */
export function planExposure(request: ExposureRequest, { leaf, authority }: ServingCertificate): ExposurePlan {
  const { istioVersion, gateway, addons } = request
  const { namespace, selector } = gateway
  const exposures = exposuresOf(request)
  const secret = tlsSecret({ namespace, ...leaf, authorityCertificate: authority.certificate })
  const routes = addons.map(({ found }, index) => {
    const destination = { service: found.service.metadata.name, namespace: found.namespace, port: found.port }
    const host = exposures[index]?.host ?? ''
    const resource = virtualServices(istioVersion)
    return {
      resource,
      manifest: virtualService(resource, { namespace, addonName: found.addon.name, host, destination }),
    }
  })
  const resource = gateways(istioVersion)
  const server = gatewayManifest(resource, { namespace, selector, hosts: exposures.map(({ host }) => host) })
  return { exposures, manifests: [{ resource: SECRETS, manifest: secret }, ...routes, { resource, manifest: server }] }
}
