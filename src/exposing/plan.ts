/** The plan of an exposure: pure. Dry run, confirmation, apply and the final page are four views of this value. */
import { isGuarded } from '../access/guard.ts'
import { planGuards } from '../access/guard-plan.ts'
import { entryVersion } from '../access/guard-version.ts'
import { allowedRequests } from '../addons/allowed-requests.ts'
import { serviceNamed } from '../addons/service-name.ts'
import { trustBundle } from '../certificates/authority.ts'
import type { AuthorityUse } from '../certificates/authority-uses.ts'
import type { Certificates } from '../certifying/serving-certificate.ts'
import { type Change, planChanges, type Wanted } from '../changes/changes.ts'
import { managedElsewhere } from '../changes/managed-elsewhere.ts'
import { EXPOSING } from '../cluster/ownership.ts'
import { CERTIFICATES, gateways, SECRETS, SERVICES, virtualServices } from '../cluster/resources.ts'
import type { Finding } from '../findings.ts'
import { otherWays } from '../gateways/balancer.ts'
import { type Backend, needingPorts } from '../gateways/exposed-routes.ts'
import { redirectPortOf, serversOf } from '../gateways/layout.ts'
import { clusterDomain } from '../gateways/mesh.ts'
import { addedPorts, planPorts } from '../gateways/service-ports.ts'
import { certificate as certificateManifest } from '../manifests/certificate.ts'
import { gateway as gatewayManifest } from '../manifests/gateway.ts'
import { servicePorts } from '../manifests/service-ports.ts'
import { keyFor, tlsSecret } from '../manifests/tls-secret.ts'
import { closedRoute, virtualService } from '../manifests/virtual-service.ts'
import type { Survey } from './gather.ts'
import type { ExposeRequest } from './request.ts'
import { backendsOf, type Exposure, type ExposureSpec, entryIn, exposuresOf, headersRemoved } from './spec.ts'
import { annotationsOf } from './terms.ts'

export interface ExposePlan {
  /** The request that it fulfils. */
  readonly request: ExposeRequest
  readonly spec: ExposureSpec
  readonly exposures: readonly Exposure[]
  /** In the order in which they are written. */
  readonly changes: readonly Change[]
  /** Kiali's links: planned by the rehearsal, and again when the node ports are known. */
  readonly links: readonly Change[]
  /** Undefined for HTTP, and with a Secret that kubectl telemetry does not create. */
  readonly certificates: Certificates | undefined
  /** The file with the CA certificate. */
  readonly authorityPath: string
  /** What this machine records before it signs. */
  readonly use?: AuthorityUse
  readonly warnings: readonly Finding[]
  /** DNS problems of a default domain; the check at the end reports more. */
  readonly unresolved: readonly Finding[]
}

/** The parts of a plan that come from this machine. */
export type PlannedCertificates = Pick<ExposePlan, 'certificates' | 'authorityPath' | 'use' | 'warnings'>

export function planExposure(
  request: ExposeRequest,
  { spec, present, warnings, unresolved }: Survey,
  { certificates, authorityPath, use, warnings: more }: PlannedCertificates,
): ExposePlan {
  const changes = planChanges(wantedObjects(spec, certificates), present, EXPOSING)
  const exposures = exposuresOf(spec, spec.gateway.service)
  return {
    request,
    spec,
    exposures,
    changes,
    links: [],
    certificates,
    authorityPath,
    ...(use === undefined ? {} : { use }),
    warnings: [...warnings, ...managedElsewhere(changes), ...more],
    unresolved,
  }
}

/**
 * The manifests, in an order in which no incomplete exposure is served. A Gateway with a missing Secret blocks all hosts of its port
 * for 15 s (Envoy's initial fetch), so the Secret and the routes are written before it. A guard is written before the route that it
 * protects. Ports of the Service come first: nothing listens there yet, and they are the most likely to be refused (a dry run
 * does not look at the range of node ports).
 */
function wantedObjects(spec: ExposureSpec, certificates: Certificates | undefined): Wanted[] {
  const { istioVersion, gateway, layout, redirect, providedSecret } = spec
  const { namespace, selector } = gateway
  const backends = backendsOf(spec)
  const manifest = gatewayManifest(gateways(istioVersion), {
    namespace,
    selector,
    notes: { service: chosenOf(spec), domain: recordedDomain(spec) },
    servers: serversOf(spec.entries, layout, redirect, versionsOf(spec)),
    credentialName: providedSecret?.name,
  })
  return [
    ...portsOf(spec),
    ...(certificates === undefined ? [] : [secretOf(namespace, certificates, spec.hosts)]),
    ...certificatesOf(spec),
    // Guards have the labels of the Gateway: when those change, all of them change.
    ...planGuards(spec.reselects ? spec.entries : backends.map(({ name }) => entryIn(spec, name)), spec.guarding, spec),
    ...backends.map((backend) => routeOf(backend, spec)),
    { resource: gateways(istioVersion), manifest },
  ]
}

/** Only where there was a choice: everywhere else the Gateway stays as earlier versions wrote it. */
function chosenOf({ gateway, entries }: ExposureSpec): string | undefined {
  const isOneOfSeveral = entries.some(({ port }) => otherWays(gateway, port).length > 0)
  return isOneOfSeveral ? gateway.service.metadata.name : undefined
}

/** Only where a host is that of a Service: the hosts of add-ons say which domain it is. */
function recordedDomain({ entries, layout }: ExposureSpec): string | undefined {
  return entries.some(({ name }) => serviceNamed(name) !== undefined) ? layout.domain : undefined
}

function versionsOf({ entries, guarding }: ExposureSpec): Record<string, string> {
  const versions = entries.flatMap((entry) => {
    const guard = guarding.guards[entry.name]
    return isGuarded(guard) ? [[entry.name, entryVersion(entry, guard)]] : []
  })
  return Object.fromEntries(versions)
}

function secretOf(namespace: string, { leaf, authority, signedOn }: Certificates, hosts: readonly string[]): Wanted {
  const manifest = tlsSecret({ namespace, ...leaf, authorityCertificate: trustBundle(authority), signedOn })
  return { resource: SECRETS, manifest, about: keyFor(hosts) }
}

function certificatesOf({ issuer, gateway, hosts }: ExposureSpec): Wanted[] {
  if (issuer === undefined) return []
  return [{ resource: CERTIFICATES, manifest: certificateManifest(gateway.namespace, hosts, issuer) }]
}

function routeOf(backend: Backend, spec: ExposureSpec): Wanted {
  const { istioVersion, gateway, layout, terms, guarding } = spec
  const { name: addon, path, paths, ...destination } = backend
  const { host, port, own } = entryIn(spec, addon)
  const resource = virtualServices(istioVersion)
  const manifest = virtualService(resource, {
    namespace: gateway.namespace,
    addonName: addon,
    host,
    port,
    redirectPort: own === undefined ? redirectPortOf(layout) : undefined,
    path,
    allowed: allowedRequests(addon, path),
    paths,
    guarded: isGuarded(guarding.guards[addon]),
    annotations: annotationsOf(terms[addon], own),
    removes: headersRemoved(addon, spec),
    destination: { ...destination, clusterDomain: clusterDomain(gateway) },
  })
  const version = spec.closed[addon]
  return { resource, manifest: version === undefined ? manifest : closedRoute(manifest, port, version) }
}

/** Adds the ports that the Service lacks, and removes those that no exposure needs any more. */
function portsOf({ gateway, layout, entries, nodePorts }: ExposureSpec): Wanted[] {
  const { name, namespace = '' } = gateway.service.metadata
  const ports = planPorts(gateway.service, needingPorts(entries, layout), nodePorts)
  if (ports.length === 0 && addedPorts(gateway.service).length === 0) return []
  return [{ resource: SERVICES, manifest: servicePorts({ name, namespace }, ports), by: 'sharing' }]
}
