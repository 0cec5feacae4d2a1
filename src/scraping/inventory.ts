/** What of secure scraping is in the cluster: objects of ours, and others' that we changed. Any machine can find it. */
import { isEdited } from '../changes/edits.ts'
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import { appliedFields, isOwned, SCRAPING } from '../cluster/ownership.ts'
import { findIstioVersion, readable } from '../cluster/reading.ts'
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
import type { Owned } from '../exposing/undo/undo.ts'
import type { Warning } from '../world.ts'
import { SECURE_PORT, type WorkloadObject } from './workload.ts'

/** In the order in which it goes: what leads to a port before the port. */
export interface ScrapingLeft {
  /** Their pods have a secure port. */
  workloads: Owned[]
  /**
   * Others' with fields of ours, and ours, kind by kind: a port that others' Sidecar has for us would otherwise outlive the policies
   * that keep it closed.
   */
  around: Owned[]
  /** At Prometheus: its configuration, and then itself. */
  prometheus: Owned[]
  warnings: Warning[]
}

/** @param namespaces all when left out */
export async function findScraping(cluster: Cluster, namespaces: string[] = []): Promise<ScrapingLeft> {
  const [version, operator] = await Promise.all([findIstioVersion(cluster), cluster.servedVersions(MONITORING)])
  // A Gateway comes before what it leads to.
  const istio = [gateways, virtualServices, serviceEntries, sidecars, peerAuthentications, authorizationPolicies]
  const serving = version === undefined ? [] : istio.map((kind) => kind(version))
  const monitoring = [POD_MONITORS, PROMETHEUSES].filter(({ version }) => operator.includes(version))
  const kinds = [...WORKLOADS, ...serving, NETWORK_POLICIES, CONFIG_MAPS, ...monitoring]
  const lists = await Promise.all(kinds.map((resource) => readable(listed(resource, namespaces, cluster))))
  const found = kinds.flatMap((resource, index) => (lists[index] ?? []).map((object) => ({ resource, object })))
  const others = found.filter(
    ({ object }) => !isOwned(object) && (isEdited(object) || appliedFields(object) !== undefined),
  )
  const workloads = others.filter(isServing)
  const prometheus = others.filter((one) => isEdited(one.object) && !workloads.includes(one))
  const isAround = (one: Owned) => isOwned(one.object) || (others.includes(one) && !workloads.includes(one))
  return {
    workloads,
    around: found.filter((one) => isAround(one) && !prometheus.includes(one)),
    prometheus: [...prometheus.filter(isConfiguration), ...prometheus.filter((one) => !isConfiguration(one))],
    warnings: notSearched(
      kinds.filter((_, index) => lists[index] === undefined),
      namespaces,
    ),
  }
}

async function listed(resource: Resource, namespaces: string[], cluster: Cluster): Promise<KubeObject[]> {
  const places = namespaces.length === 0 ? [{}] : namespaces.map((namespace) => ({ namespace }))
  return (await Promise.all(places.map((place) => cluster.list(resource, { ...place, labels: SCRAPING })))).flat()
}

/** Prometheus has no secure port of its own. */
function isServing({ resource, object }: Owned): boolean {
  const { spec } = object as WorkloadObject
  return WORKLOADS.includes(resource) && spec.template.metadata?.annotations?.[SECURE_PORT] !== undefined
}

function isConfiguration({ object }: { object: KubeObject }): boolean {
  return ['ConfigMap', 'PodMonitor'].includes(object.kind)
}

function notSearched(kinds: Resource[], namespaces: string[]): Warning[] {
  if (kinds.length === 0) return []
  const what = kinds.map(({ plural }) => plural).join(', ')
  const where = namespaces.length === 0 ? 'all namespaces' : namespaces.join(', ')
  const message = `${what} could not be listed in ${where}, so ours among them were not looked for`
  return [{ code: 'NOT_SEARCHED', message, remedy: 'kubectl auth can-i --list   # docs/rbac.md has what is needed' }]
}
