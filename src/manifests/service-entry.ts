import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { MULTICLUSTER, ownedLabels, SCRAPING } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import { passedHostNote } from './names.ts'

/**
 * The port by which routes name the agent. 80, because sidecars listen for it anyway: any other port would add a listener to them.
 */
export const ROUTED_PORT = 80

/** A host that does not exist in DNS, and is not below `local`, to which mesh-wide DestinationRules often apply. */
export function adminHost({ name, namespace }: { name: string; namespace: string }): string {
  return `${name}.${namespace}.kubectl-telemetry.internal`
}

/** The agent next to the proxy, at 127.0.0.1: only for proxies of this namespace, and without mutual TLS, which it does not support. */
export function agentEntry(
  resource: Resource,
  { name, namespace, port }: { name: string; namespace: string; port: number },
): KubeObject {
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: ownedLabels(SCRAPING) },
    spec: {
      exportTo: ['.'],
      hosts: [adminHost({ name, namespace })],
      location: 'MESH_EXTERNAL',
      resolution: 'STATIC',
      ports: [{ name: 'http-telemetry-metrics', number: ROUTED_PORT, targetPort: port, protocol: 'HTTP' }],
      endpoints: [{ address: '127.0.0.1' }],
    },
  }
}

/** An address at which callers of an exported service connect. */
export interface EntryEndpoint {
  /** IP address or host name. */
  address: string
  port: number
  labels?: Readonly<Record<string, string>>
  locality?: string
}

export interface EntryPort {
  number: number
  name: string
  /** Left out: proxies find it out. */
  protocol?: string | undefined
}

export interface ExportedEntryRequest {
  name: string
  namespace: string
  host: string
  address: string
  /** Only for the namespace of the entry. */
  isPrivate: boolean
  ports: readonly EntryPort[]
  endpoints: readonly EntryEndpoint[]
  notes: EntryNotes
}

/** What an entry records, because nothing else of it says so. Hints: the editors of the entry can write anything. */
export interface EntryNotes {
  /** How its callers find the address: `coredns`, `proxy` or `none`. */
  dns: string
  /** `NAMESPACE/NAME` of the Service of the egress gateway. */
  via?: string | undefined
}

const DNS = 'kubectl-telemetry/dns'
const VIA = 'kubectl-telemetry/via-egress'

export function entryNotesOf({ metadata: { annotations } }: KubeObject): { dns?: string; via?: string } {
  const [dns, via] = [annotations?.[DNS], annotations?.[VIA]]
  return { ...(dns === undefined ? {} : { dns }), ...(via === undefined ? {} : { via }) }
}

/**
 * A service of other clusters in a calling one. It belongs to the mesh, so that proxies use the mutual TLS of its DestinationRule.
 * https://istio.io/latest/docs/reference/config/networking/service-entry/
 */
export function exportedEntry(resource: Resource, request: ExportedEntryRequest): KubeObject {
  const { name, namespace, host, address, isPrivate, ports, endpoints, notes } = request
  const annotations = { [DNS]: notes.dns, ...(notes.via === undefined ? {} : { [VIA]: notes.via }) }
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: ownedLabels(MULTICLUSTER), annotations },
    spec: {
      hosts: [host],
      addresses: [address],
      ...(isPrivate ? { exportTo: ['.'] } : {}),
      location: 'MESH_INTERNAL',
      ...reached(ports, endpoints),
    },
  }
}

/** Where an egress gateway passes the calls of an exported service on to, as they are: its own mutual TLS would end the caller's. */
export function egressEntry(
  resource: Resource,
  { name, namespace, host, passed }: { name: string; namespace: string; host: string; passed: string },
  endpoints: readonly EntryEndpoint[],
): KubeObject {
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: ownedLabels(MULTICLUSTER), ...passedHostNote(passed) },
    spec: {
      hosts: [host],
      exportTo: ['.'],
      location: 'MESH_EXTERNAL',
      ...reached([{ number: EGRESS_PORT, name: 'tls', protocol: 'TLS' }], endpoints),
    },
  }
}

/** The port of the entry behind an egress gateway. */
export const EGRESS_PORT = 15443

/** One host name among the addresses makes proxies resolve all of them. */
function reached(ports: readonly EntryPort[], endpoints: readonly EntryEndpoint[]): object {
  return {
    resolution: endpoints.every(({ address }) => /^[0-9.]+$|:/.test(address)) ? 'STATIC' : 'DNS',
    ports: ports.map(({ number, name, protocol }) => ({
      number,
      name,
      ...(protocol === undefined ? {} : { protocol }),
    })),
    endpoints: endpoints.map(({ address, port, labels = {}, locality }) => ({
      address,
      ports: Object.fromEntries(ports.map(({ name }) => [name, port])),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(locality === undefined ? {} : { locality }),
    })),
  }
}
