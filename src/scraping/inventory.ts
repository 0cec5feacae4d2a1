/** Finds everything that scrape-secure created or changed. The cluster contains all of it, so any machine can find it. */

import { invalidRecords, isEdited } from '../changes/edits.ts'
import { whyNotEdited } from '../changes/reach.ts'
import { hasRecord } from '../changes/records.ts'
import { type FoundObject, notSearched } from '../changes/undo.ts'
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import { appliedFields, changedBy, isOwnedBy, SCRAPING } from '../cluster/ownership.ts'
import { findIstioVersion, listOwned, readable, sift } from '../cluster/reading.ts'
import {
  authorizationPolicies,
  CONFIG_MAPS,
  gateways,
  MONITORING,
  NETWORK_POLICIES,
  POD_MONITORS,
  PROMETHEUSES,
  peerAuthentications,
  serviceEntries,
  sidecars,
  virtualServices,
  WORKLOADS,
} from '../cluster/resources.ts'
import type { Finding } from '../findings.ts'
import type { WorkloadObject } from '../workloads/workload-object.ts'
import { whyNotScraping } from './made-by-scraping.ts'
import { SECURE_PORT } from './workload.ts'

/** In the order of the undo: what leads to a port goes before the port. */
export interface ScrapingInventory {
  /** Workloads whose pods have a secure port. */
  workloads: FoundObject[]
  /**
   * Created objects, and users' objects with our fields, kind by kind: otherwise a port in a user's Sidecar would stay open after the
   * policies that close it are deleted.
   */
  companions: FoundObject[]
  /** The configuration of Prometheus, and then Prometheus. */
  prometheus: FoundObject[]
  warnings: Finding[]
}

/** @param namespaces left out: all */
export async function findScraping(cluster: Cluster, namespaces: string[] = []): Promise<ScrapingInventory> {
  const [version, operator] = await Promise.all([findIstioVersion(cluster), cluster.servedVersions(MONITORING)])
  // A Gateway comes before the objects that it leads to.
  const istio = [gateways, virtualServices, serviceEntries, sidecars, peerAuthentications, authorizationPolicies]
  const serving = version === undefined ? [] : istio.map((kind) => kind(version))
  const monitoring = [POD_MONITORS, PROMETHEUSES].filter(({ version }) => operator.includes(version))
  const kinds = [...WORKLOADS, ...serving, NETWORK_POLICIES, CONFIG_MAPS, ...monitoring]
  const lists = await Promise.all(kinds.map((resource) => readable(listChanged(resource, namespaces, cluster))))
  const listed = kinds.flatMap((resource, index) => (lists[index] ?? []).map((object) => ({ resource, object })))
  const { ours: found, findings } = sift(listed, ({ object }) => object, whyNotOurs)
  const others = found.filter(
    ({ object }) =>
      !isOwnedBy(object, SCRAPING) && (isEdited(object, SCRAPING) || appliedFields(object, SCRAPING) !== undefined),
  )
  const workloads = others.filter(isServing)
  const prometheus = others.filter(
    (one) => isEdited(one.object, SCRAPING) && !workloads.includes(one) && !isOneOf(MESH_CHANGED, one.resource),
  )
  const isCompanion = (one: FoundObject) =>
    isOwnedBy(one.object, SCRAPING) || (others.includes(one) && !workloads.includes(one))
  return {
    workloads,
    companions: found.filter((one) => isCompanion(one) && !prometheus.includes(one)),
    prometheus: [...prometheus.filter(isConfiguration), ...prometheus.filter((one) => !isConfiguration(one))],
    warnings: [
      ...notListed(
        kinds.filter((_, index) => lists[index] === undefined),
        namespaces,
      ),
      ...findings,
      ...invalidRecords(
        found.map(({ object }) => object),
        SCRAPING,
      ),
    ],
  }
}

/** The labels only helped to find it. */
function whyNotOurs(object: KubeObject): string | undefined {
  if (isOwnedBy(object, SCRAPING)) return whyNotScraping(object)
  const isChanged = hasRecord(object, SCRAPING) || appliedFields(object, SCRAPING) !== undefined
  return isChanged
    ? whyNotEdited(object, SCRAPING)
    : 'it has the label of an object that scrape-secure changed, but neither a record nor fields of a change'
}

/** Kinds of which scraping changes users' objects, and kinds of which it creates objects: no others are listed. */
const MESH_CHANGED = [sidecars(''), peerAuthentications(''), authorizationPolicies('')]
const CHANGED = [...WORKLOADS, CONFIG_MAPS, POD_MONITORS, PROMETHEUSES, ...MESH_CHANGED]
const ONLY_CHANGED = [...WORKLOADS, CONFIG_MAPS, PROMETHEUSES]

async function listChanged(resource: Resource, namespaces: string[], cluster: Cluster): Promise<KubeObject[]> {
  const places = namespaces.length === 0 ? [{}] : namespaces.map((namespace) => ({ namespace }))
  const lists = places.map(async (place) => {
    const [changed, owned] = await Promise.all([
      isOneOf(CHANGED, resource) ? cluster.list(resource, { ...place, labels: changedBy(SCRAPING) }) : [],
      isOneOf(ONLY_CHANGED, resource) ? [] : listOwned(cluster, resource, SCRAPING, place),
    ])
    return [...changed.filter((object) => !isOwnedBy(object, SCRAPING)), ...owned]
  })
  return (await Promise.all(lists)).flat()
}

function isOneOf(kinds: Resource[], { kind, group }: Resource): boolean {
  return kinds.some((one) => one.kind === kind && one.group === group)
}

/** Whether a workload serves metrics at a secure port. Prometheus has none. */
function isServing({ resource, object }: FoundObject): boolean {
  const { spec } = object as WorkloadObject
  return WORKLOADS.includes(resource) && spec.template.metadata?.annotations?.[SECURE_PORT] !== undefined
}

function isConfiguration({ object }: { object: KubeObject }): boolean {
  return ['ConfigMap', 'PodMonitor'].includes(object.kind)
}

function notListed(kinds: Resource[], namespaces: string[]): Finding[] {
  if (kinds.length === 0) return []
  const what = kinds.map(({ plural }) => plural).join(', ')
  const where = namespaces.length === 0 ? 'all namespaces' : namespaces.join(', ')
  const message = `${what} could not be listed in ${where}, so those that scrape-secure created or changed were not searched for`
  return [notSearched(message, 'kubectl auth can-i --list   # docs/rbac.md lists the permissions that are needed')]
}
