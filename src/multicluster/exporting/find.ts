/** What `export` made and changed in a cluster: found there, and believed only where it looks like it. */
import { isEdited } from '../../changes/edits.ts'
import { whyNotEdited } from '../../changes/reach.ts'
import { hasRecord } from '../../changes/records.ts'
import type { FoundObject } from '../../changes/undo.ts'
import type { Cluster, KubeObject, Resource } from '../../cluster/cluster.ts'
import { isStaying } from '../../cluster/objects.ts'
import { changedBy, isOwnedBy, MULTICLUSTER, OWNED } from '../../cluster/ownership.ts'
import { findIstioVersion, listIfServed, readable, sift } from '../../cluster/reading.ts'
import {
  CONFIG_MAPS,
  destinationRules,
  gateways,
  serviceEntries,
  virtualServices,
  WORKLOADS,
} from '../../cluster/resources.ts'
import type { Finding } from '../../findings.ts'
import { passedHost } from '../../manifests/names.ts'
import { mapOf, textOf, textsOf } from '../../shapes.ts'
import type { ExportedService } from '../exported.ts'
import { inCluster, type Member } from '../members.ts'
import { findMesh } from '../mesh.ts'
import { findRecord } from '../record.ts'
import { type CallObjects, exportedBy } from './calling.ts'
import { COREDNS_NAMES, COREDNS_NAMESPACE } from './dns/coredns.ts'
import { whyNotExported } from './made-by-exporting.ts'
import { egressName, entryName } from './names.ts'
import { hostsIn, isOurs } from './server.ts'

/** What a cluster has of exports: of its own services, and of those that it calls. */
export interface ExportInventory {
  readonly member: Member
  /** Services that are called from here. */
  readonly called: readonly ExportedService[]
  /** Objects of calls by host, also of runs that were cut off: in the order in which they are deleted. */
  readonly calls: ReadonlyMap<string, readonly FoundObject[]>
  /** Our Gateway, and the hosts that it passes on. */
  readonly gateway: FoundObject | undefined
  readonly served: readonly string[]
  /** Rules with the subsets of own services. */
  readonly rules: readonly FoundObject[]
  /** Of CoreDNS. */
  readonly configMaps: readonly FoundObject[]
  /** Workloads whose sidecars answer names since. */
  readonly workloads: readonly FoundObject[]
  readonly warnings: readonly Finding[]
  /** Kinds that may not be listed. */
  readonly unread: readonly string[]
}

/** @throws UserError CLUSTER_UNREACHABLE, ISTIODS_SEVERAL */
export async function findExports(member: Member): Promise<ExportInventory> {
  const { cluster } = member
  const [version, mesh, record] = await Promise.all([
    findIstioVersion(cluster),
    readable(findMesh(cluster)),
    findRecord(cluster),
  ])
  const [owned, configMaps, workloads] = await Promise.all([
    ownedBy(version, cluster),
    readable(cluster.list(CONFIG_MAPS, { namespace: COREDNS_NAMESPACE, labels: changedBy(MULTICLUSTER) })),
    Promise.all(WORKLOADS.map((resource) => changedOf(resource, cluster))),
  ])
  const root = mesh?.root ?? 'istio-system'
  const places = { root, gateways: [root, ...(record?.gateway === undefined ? [] : [record.gateway.namespace])] }
  const { ours, findings } = sift(
    owned.flatMap(({ found }) => found ?? []),
    ({ object }) => object,
    (object) => whyNotExported(object, places),
  )
  const maps = sift(
    (configMaps ?? []).filter((one) => isStaying(one) && hasRecord(one, MULTICLUSTER)).map(asConfigMap),
    ({ object }) => object,
    whyNotOurCorefile,
  )
  const templates = sift(
    workloads.flatMap(({ found }) => found ?? []),
    ({ object }) => object,
    (object) => whyNotEdited(object, MULTICLUSTER),
  )
  const gateway = ours.find(({ object }) => object.kind === 'Gateway' && isOurs(object))
  return {
    member,
    called: calledBy(ours, member.name),
    calls: callsIn(ours),
    gateway,
    served: hostsIn(gateway?.object),
    rules: ours.filter(({ object }) => object.kind === 'DestinationRule' && hostOfCall(object) === undefined),
    configMaps: maps.ours,
    workloads: templates.ours,
    warnings: [...findings, ...maps.findings, ...templates.findings],
    unread: [
      ...[...owned, ...workloads].flatMap(({ resource, found }) => (found === undefined ? [resource.plural] : [])),
      ...(configMaps === undefined ? ['configmaps'] : []),
    ],
  }
}

/** What the clusters of a run call of each other, and what is not believed. */
export async function exportedBetween(
  members: readonly Member[],
): Promise<{ services: ExportedService[]; warnings: Finding[] }> {
  const inventories = await Promise.all(members.map((member) => inCluster(member, () => findExports(member))))
  return {
    services: inventories.flatMap(({ called }) => called),
    warnings: inventories.flatMap(({ warnings }) => warnings),
  }
}

interface Listed {
  resource: Resource
  /** Undefined if they may not be listed. */
  found: FoundObject[] | undefined
}

async function ownedBy(version: string | undefined, cluster: Cluster): Promise<Listed[]> {
  // An entry goes before its rule: it would make sidecars send plaintext.
  const kinds = version === undefined ? [] : [serviceEntries, destinationRules, virtualServices, gateways]
  return Promise.all(
    kinds.map(async (kind) => {
      const resource = kind(version ?? '')
      const listed = await readable(listIfServed<KubeObject>(cluster, resource, { labels: OWNED }))
      const own = listed?.filter((object) => isOwnedBy(object, MULTICLUSTER) && isStaying(object))
      return { resource, found: own?.map((object) => ({ resource, object })) }
    }),
  )
}

async function changedOf(resource: Resource, cluster: Cluster): Promise<Listed> {
  const listed = await readable(cluster.list(resource, { labels: changedBy(MULTICLUSTER) }))
  return { resource, found: listed?.filter(isStaying).map((object) => ({ resource, object })) }
}

function asConfigMap(object: KubeObject): FoundObject {
  return { resource: CONFIG_MAPS, object }
}

function whyNotOurCorefile(object: KubeObject): string | undefined {
  if (!COREDNS_NAMES.includes(object.metadata.name))
    return 'it has a record of multicluster, but CoreDNS does not read it'
  return isEdited(object, MULTICLUSTER) ? undefined : 'its record (an annotation kubectl-telemetry/…) is invalid'
}

/** The host of an object of a calling cluster; `undefined` for one of a serving cluster. */
function hostOfCall(object: KubeObject): string | undefined {
  const { kind, metadata, spec } = object
  const passed = passedHost(object)
  if (passed !== undefined && metadata.name === egressName(passed)) return passed
  const host = kind === 'ServiceEntry' ? textsOf(mapOf(spec).hosts)[0] : textOf(mapOf(spec).host)
  return host !== undefined && metadata.name === entryName(host) ? host : undefined
}

function callsIn(ours: readonly FoundObject[]): Map<string, FoundObject[]> {
  const calls = new Map<string, FoundObject[]>()
  for (const one of ours) {
    const host = hostOfCall(one.object)
    if (host !== undefined) calls.set(host, [...(calls.get(host) ?? []), one])
  }
  return calls
}

function calledBy(ours: readonly FoundObject[], to: string): ExportedService[] {
  const objects = ours.map(({ object }) => object)
  const entries = objects.filter(({ kind, metadata, spec }) => {
    return kind === 'ServiceEntry' && metadata.name === entryName(textsOf(mapOf(spec).hosts)[0] ?? '')
  })
  return entries.flatMap((entry) => {
    const rule = objects.find((one) => one.kind === 'DestinationRule' && isSame(one, entry.metadata))
    if (rule === undefined) return []
    const [host = ''] = textsOf(mapOf(entry.spec).hosts)
    const behind = objects.find(({ kind, metadata }) => kind === 'ServiceEntry' && metadata.name === egressName(host))
    const call: CallObjects = { entry, rule, behind }
    return exportedBy(call, to) ?? []
  })
}

function isSame({ metadata }: KubeObject, { name, namespace }: KubeObject['metadata']): boolean {
  return metadata.name === name && metadata.namespace === namespace
}
