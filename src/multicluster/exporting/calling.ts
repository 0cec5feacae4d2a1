/** The objects of an exported service in a calling cluster, and what can be read from them again. Pure. */

import type { Wanted } from '../../changes/changes.ts'
import type { KubeObject, ObjectName } from '../../cluster/cluster.ts'
import { destinationRules, gateways, serviceEntries, virtualServices } from '../../cluster/resources.ts'
import { isAddress } from '../../gateways/names.ts'
import { callingRule } from '../../manifests/destination-rule.ts'
import { passingGateway } from '../../manifests/gateway.ts'
import {
  EGRESS_PORT,
  type EntryEndpoint,
  egressEntry,
  entryNotesOf,
  exportedEntry,
} from '../../manifests/service-entry.ts'
import { passingRoute } from '../../manifests/virtual-service.ts'
import { listOf, mapOf, numberOf, textOf, textsOf } from '../../shapes.ts'
import type { ExportedEndpoint, ExportedPort, ExportedService, ExportedSubset } from '../exported.ts'
import { isClusterName } from '../names.ts'
import { anySni, behindEgress, egressName, partsOfSni, serviceOf, servingHost, sniOf } from './names.ts'

/** The label of an endpoint with the cluster that it leads to. */
const CLUSTER = 'cluster'

/** What the objects need beside the service itself. */
export interface Surroundings {
  /** Of Istio's networking API in the calling cluster. */
  readonly version: string
  /** The domain of Services in the serving clusters. */
  readonly domain: string
  /** Localities of the serving clusters, by name. */
  readonly localities: Readonly<Record<string, string>>
  readonly egress: EgressGateway | undefined
}

/** The egress gateway of a calling cluster. */
export interface EgressGateway extends Required<ObjectName> {
  readonly selector: Record<string, string>
  /** Of the Service, where callers connect. */
  readonly port: number
  /** Address of the Service inside of the cluster. */
  readonly address: string
}

/**
 * In the order in which they are written: an entry without its rule would make sidecars send plaintext, and one without what is behind the
 * egress gateway would lead nowhere.
 */
export function callingObjects(service: ExportedService, around: Surroundings): Wanted[] {
  const { version, egress } = around
  const { name, namespace } = service.entry
  const own = { name, namespace, host: service.host, isPrivate: service.into !== undefined }
  const host = servingHost(service.service, around.domain)
  const endpoints = egress === undefined ? endpointsOf(service, around) : [egressEndpoint(egress)]
  const rule = callingRule(destinationRules(version), {
    ...own,
    ports: service.ports,
    identities: service.identities,
    failsOver: endpoints.length > 1,
    subsets: service.subsets.map(({ name: subset, labels }) => {
      const served = Object.hasOwn(labels, CLUSTER) ? undefined : subset
      const ports = service.ports.map(({ number }) => ({ number, sni: sniOf(number, host, served) }))
      return { name: subset, labels: served === undefined ? labels : {}, ports }
    }),
  })
  const entry = exportedEntry(serviceEntries(version), {
    ...own,
    address: service.address,
    ports: service.ports.map(({ number, name: port, protocol }) => ({
      number,
      name: port,
      protocol: protocol === UNKNOWN ? undefined : protocol,
    })),
    endpoints,
    notes: { dns: service.dns, via: egress && `${egress.namespace}/${egress.name}` },
  })
  return [
    ...(egress === undefined ? [] : egressObjects(service, around, egress)),
    { resource: destinationRules(version), manifest: rule },
    { resource: serviceEntries(version), manifest: entry },
  ]
}

function endpointsOf({ from }: ExportedService, { localities }: Surroundings): EntryEndpoint[] {
  return from.map(({ cluster, address, port }) => ({
    address,
    port,
    labels: { [CLUSTER]: cluster },
    ...(from.length > 1 ? { locality: localities[cluster] ?? cluster } : {}),
  }))
}

function egressEndpoint({ address, port }: EgressGateway): EntryEndpoint {
  return { address, port }
}

function egressObjects(service: ExportedService, around: Surroundings, egress: EgressGateway): Wanted[] {
  const { version } = around
  const place = { name: egressName(service.host), namespace: egress.namespace, passed: service.host }
  const hosts = [anySni(servingHost(service.service, around.domain))]
  const { selector, port } = egress
  const host = behindEgress(service.host)
  const destination = { host, port: EGRESS_PORT }
  return [
    {
      resource: serviceEntries(version),
      manifest: egressEntry(serviceEntries(version), { ...place, host }, endpointsOf(service, around)),
    },
    {
      resource: virtualServices(version),
      manifest: passingRoute(virtualServices(version), { ...place, hosts, port, destination }),
    },
    {
      resource: gateways(version),
      manifest: passingGateway(gateways(version), { ...place, selector, port, hosts, mode: 'PASSTHROUGH' }),
    },
  ]
}

/** In place of a protocol that proxies find out. */
export const UNKNOWN = 'auto'

/** The objects of one host in a calling cluster. */
export interface CallObjects {
  readonly entry: KubeObject
  readonly rule: KubeObject
  /** The entry behind the egress gateway. */
  readonly behind: KubeObject | undefined
}

/**
 * The exported service that these objects are. Their shape is checked, because others may have written them.
 * @param to name of the cluster that has them
 * @returns undefined where they are none of ours
 */
export function exportedBy({ entry, rule, behind }: CallObjects, to: string): ExportedService | undefined {
  const { hosts, addresses, exportTo, ports, endpoints } = mapOf(entry.spec)
  const notes = entryNotesOf(entry)
  const [host = '', address = ''] = [textsOf(hosts)[0], textsOf(addresses)[0]]
  const called = listOf(ports).map(mapOf)
  const settings = listOf(mapOf(mapOf(mapOf(rule.spec).trafficPolicy)).portLevelSettings).map(mapOf)
  const served = called.map((port) => exportedPort(port, settings))
  const [first] = served
  const service = first && serviceOf(partsOfSni(first.sni)?.host ?? '')
  const from = endpointsIn(behind === undefined ? endpoints : mapOf(behind.spec).endpoints)
  const isWhole = served.every((port) => port !== undefined) && from.every((one) => one !== undefined)
  const { name, namespace = '' } = entry.metadata
  if (service === undefined || !isWhole || from.length === 0) return undefined
  const [, viaNamespace = '', viaName = ''] = /^([-a-z0-9]{1,63})\/([-a-z0-9]{1,63})$/.exec(notes.via ?? '') ?? []
  return {
    host,
    service,
    ports: served.flatMap((one) => one ?? []),
    address,
    to,
    from: from.flatMap((one) => one ?? []),
    ...(textsOf(exportTo).includes('.') ? { into: namespace } : {}),
    identities: textsOf(mapOf(settings[0]?.tls).subjectAltNames),
    ...(viaName === '' ? {} : { via: { name: viaName, namespace: viaNamespace } }),
    subsets: subsetsIn(rule),
    dns: notes.dns === 'coredns' || notes.dns === 'proxy' ? notes.dns : 'none',
    entry: { name, namespace },
  }
}

function exportedPort(
  { number, name, protocol }: Record<string, unknown>,
  settings: readonly Record<string, unknown>[],
): ExportedPort | undefined {
  const own = settings.find(({ port }) => mapOf(port).number === number)
  const sni = textOf(mapOf(own?.tls).sni) ?? ''
  const parts = partsOfSni(sni)
  if (parts === undefined || parts.port !== number) return undefined
  return { number: parts.port, name: textOf(name) ?? '', protocol: textOf(protocol) ?? UNKNOWN, sni }
}

function endpointsIn(endpoints: unknown): (ExportedEndpoint | undefined)[] {
  return listOf(endpoints)
    .map(mapOf)
    .map(({ address, ports, labels }) => {
      const [reached, cluster] = [textOf(address) ?? '', textOf(mapOf(labels)[CLUSTER]) ?? '']
      const port = numberOf(Object.values(mapOf(ports))[0])
      const isPort = Number.isInteger(port) && port > 0 && port < 65_536
      return isPort && isAddress(reached) && isClusterName(cluster) ? { cluster, address: reached, port } : undefined
    })
}

/** The subsets of one cluster have its label; those of versions have only their name. */
function subsetsIn(rule: KubeObject): ExportedSubset[] {
  return listOf(mapOf(rule.spec).subsets)
    .map(mapOf)
    .map(({ name, labels }) => {
      const cluster = textOf(mapOf(labels)[CLUSTER])
      return { name: textOf(name) ?? '', labels: cluster === undefined ? {} : { [CLUSTER]: cluster } }
    })
}

/** Subsets of one cluster each, where there are several. */
export function clusterSubsets(from: readonly ExportedEndpoint[]): ExportedSubset[] {
  return from.length < 2 ? [] : from.map(({ cluster }) => ({ name: cluster, labels: { [CLUSTER]: cluster } }))
}
