/**
 * What an object must look like to be one that exposing made: its name, its namespace and, where it was read, its content. Its labels only
 * helped to find it. Pure.
 */
import { isExposable } from '../addons/service-name.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { componentOf, EXPOSING, isOwnedBy, notesOf, ownPortOf } from '../cluster/ownership.ts'
import { isWrittenByOthers } from '../cluster/trust.ts'
import {
  CERTIFICATE_NAME,
  externalGuardName,
  GATEWAY_NAME,
  guardName,
  ISSUED_SECRET_NAME,
  TLS_SECRET_NAME,
  virtualServiceName,
} from '../manifests/names.ts'
import { ANY_HOST, domainOf, domainOfHosts, mayBeOwn, serversIn } from './layout.ts'
import { whyNotOurPorts } from './service-ports.ts'

/** Where exposing makes objects: the namespaces in which an ingress gateway runs. `undefined` if pods may not be listed. */
export type GatewayNamespaces = ReadonlySet<string> | undefined

/** Why an object with the labels of exposing is not believed to be made by it; `undefined` if it is. */
export function whyNotExposing(object: KubeObject, places: GatewayNamespaces): string | undefined {
  return (
    whyNotNamed(object) ??
    whyNotPlaced(object, places, 'it has the labels of kubectl telemetry') ??
    (isIssued(object) || !isWrittenByOthers(object, EXPOSING)
      ? undefined
      : 'it has the labels of kubectl telemetry, but something else created it (metadata.managedFields): it may be a copy') ??
    (object.spec === undefined ? undefined : whyOtherContent(object))
  )
}

/** Why a Service with ports of our field manager is not believed to have them from exposing; `undefined` if it is. */
export function whyNotShared(service: Service, places: GatewayNamespaces): string | undefined {
  return whyNotPlaced(service, places, 'our field manager has fields in it') ?? whyNotOurPorts(service)
}

/**
 * Whether an object of the gateway's namespace counts as one that exposing made: it has our labels and one of our names. Who may change
 * objects of these names controls the gateway anyway; who may only create objects there finds our names taken.
 */
export function isNamedByExposing(object: KubeObject): boolean {
  return isOwnedBy(object, EXPOSING) && whyNotNamed(object) === undefined
}

/** The Gateway of kubectl telemetry in the namespace of an ingress gateway. @param objects those of other namespaces may have our labels, too */
export function ownGateway(objects: readonly KubeObject[], namespace: string): KubeObject | undefined {
  return objects.find((one) => isOwnGateway(one, namespace))
}

/** Whether it is the Gateway of kubectl telemetry in that namespace. */
export function isOwnGateway(object: KubeObject, namespace: string): boolean {
  return object.kind === 'Gateway' && object.metadata.namespace === namespace && isNamedByExposing(object)
}

/** @param mark what says that it is ours */
function whyNotPlaced({ metadata }: KubeObject, places: GatewayNamespaces, mark: string): string | undefined {
  const { namespace = '' } = metadata
  return places === undefined || places.has(namespace)
    ? undefined
    : `${mark}, but no ingress gateway runs in namespace ${namespace}`
}

function whyNotNamed(object: KubeObject): string | undefined {
  const { name } = object.metadata
  return namesOf(object).includes(name)
    ? undefined
    : `it has the labels of kubectl telemetry, which gives no ${object.kind} for them that name`
}

function namesOf(object: KubeObject): string[] {
  const addon = componentOf(object) ?? ''
  const ofAddon = (...names: string[]) => (isExposable(addon) ? names : [])
  switch (object.kind) {
    case 'Gateway':
      return [GATEWAY_NAME]
    case 'Secret':
      return [TLS_SECRET_NAME, ISSUED_SECRET_NAME]
    case 'Certificate':
      return [CERTIFICATE_NAME]
    case 'VirtualService':
      return ofAddon(virtualServiceName(addon))
    case 'EnvoyFilter':
      return ofAddon(guardName(addon))
    case 'AuthorizationPolicy':
      return ofAddon(guardName(addon), externalGuardName(addon))
    default:
      return []
  }
}

/** cert-manager creates this Secret, with our labels from the Certificate's template. */
function isIssued({ kind, metadata }: KubeObject): boolean {
  return kind === 'Secret' && metadata.name === ISSUED_SECRET_NAME
}

function whyOtherContent(object: KubeObject): string | undefined {
  const exposed = componentOf(object) ?? ''
  const isOne = (host: string) => {
    if (host === ANY_HOST) return mayServeAny(object)
    return object.kind === 'VirtualService'
      ? domainOf({ name: exposed, host }) !== undefined
      : domainOfHosts([host], notesOf(object).domain) !== undefined
  }
  const other = hostsOf(object).find((host) => !isOne(host))
  if (other !== undefined) return `kubectl telemetry makes no host like ${JSON.stringify(other.slice(0, 100))}`
  if (object.kind === 'VirtualService' && !isBoundToOurs(object))
    return `it is not only bound to Gateway ${GATEWAY_NAME}`
  return undefined
}

/** Any host is only served on ports of their own. */
function mayServeAny(object: KubeObject): boolean {
  if (object.kind === 'VirtualService') return exposedOnOwnPort(object)
  return serversIn(object).every(({ hosts, port }) => !hosts.includes(ANY_HOST) || mayBeOwn(port.number))
}

/** Whether each rule is for the port that the route has for itself. */
function exposedOnOwnPort(route: KubeObject): boolean {
  const { http = [] } = (route.spec ?? {}) as { http?: { match?: { port?: number }[] }[] }
  const ports = http.flatMap(({ match = [{}] }) => match.map(({ port = 0 }) => port))
  return ownPortOf(route) !== undefined && ports.every(mayBeOwn)
}

function hostsOf(object: KubeObject): string[] {
  if (object.kind === 'Gateway') return serversIn(object).flatMap(({ hosts }) => hosts)
  return object.kind === 'VirtualService' ? (((object.spec ?? {}) as { hosts?: string[] }).hosts ?? []) : []
}

function isBoundToOurs({ spec, metadata: { namespace } }: KubeObject): boolean {
  const { gateways = [] } = (spec ?? {}) as { gateways?: string[] }
  return gateways.length > 0 && gateways.every((one) => [GATEWAY_NAME, `${namespace}/${GATEWAY_NAME}`].includes(one))
}
