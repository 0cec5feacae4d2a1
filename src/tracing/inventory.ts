/** What `tracing on` and `tracing off` made and changed: found in the cluster, and believed only where it looks like it. */
import { isEdited } from '../changes/edits.ts'
import { whyNotEdited } from '../changes/reach.ts'
import { hasRecord } from '../changes/records.ts'
import type { FoundObject } from '../changes/undo.ts'
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import { isStaying } from '../cluster/objects.ts'
import { changedBy, isOwnedBy, OWNED, TRACING } from '../cluster/ownership.ts'
import { listIfServed, readable, type Sifted, sift } from '../cluster/reading.ts'
import { CONFIG_MAPS } from '../cluster/resources.ts'
import { isWrittenByOthers } from '../cluster/trust.ts'
import { listOf, mapOf } from '../shapes.ts'
import { isForAll } from './effective.ts'
import { telemetryResource } from './survey.ts'

export interface TracingInventory {
  /** Telemetries that we created, and users' Telemetries in which `tracing` is ours. */
  telemetries: FoundObject[]
  /** Users' ConfigMaps with our provider. */
  configMaps: FoundObject[]
  findings: Sifted<FoundObject>['findings']
  /** Kinds that may not be listed. */
  unread: string[]
}

export async function findTracing(cluster: Cluster): Promise<TracingInventory> {
  const resource = await telemetryResource(cluster)
  const list = (labels: string) =>
    resource === undefined ? [] : readable(listIfServed<KubeObject>(cluster, resource, { labels }))
  const [owned, shared, configMaps] = await Promise.all([
    list(OWNED),
    list(changedBy(TRACING)),
    readable(cluster.list<KubeObject>(CONFIG_MAPS, { labels: changedBy(TRACING) })),
  ])
  const own = (owned ?? []).filter((object) => isOwnedBy(object, TRACING))
  const users = (shared ?? []).filter((object) => !isOwnedBy(object, TRACING))
  const found =
    resource === undefined ? [] : [...own, ...users].filter(isStaying).map((object) => ({ resource, object }))
  const believed = sift(found, ({ object }) => object, whyNotOurs)
  const edited = (configMaps ?? []).filter((object) => isStaying(object) && hasRecord(object, TRACING))
  const maps = sift(
    edited.map((object) => ({ resource: CONFIG_MAPS, object })),
    ({ object }) => object,
    whyNotEditedMap,
  )
  return {
    telemetries: believed.ours,
    configMaps: maps.ours,
    findings: [...believed.findings, ...maps.findings],
    unread: [
      ...(owned === undefined ? ['telemetries.telemetry.istio.io'] : []),
      ...(configMaps === undefined ? ['configmaps'] : []),
    ],
  }
}

/** Anybody may give a Telemetry our labels. One for single workloads, or with more than traces, is not ours. */
function whyNotOurs(object: KubeObject): string | undefined {
  if (!isOwnedBy(object, TRACING)) return whyNotEdited(object, TRACING)
  const { name } = object.metadata
  if (!/^kubectl-telemetry(-|$)/.test(name))
    return 'it has the labels of kubectl telemetry, which gives no Telemetry that name'
  const isPlain = isForAll(object) && Object.keys(mapOf(object.spec)).every((field) => field === 'tracing')
  if (!isPlain || listOf(mapOf(object.spec).tracing).length > 1)
    return 'it has the labels of kubectl telemetry, which makes no Telemetry with that content'
  if (isWrittenByOthers(object, TRACING))
    return 'it has the labels of kubectl telemetry, but something else created it (metadata.managedFields): it may be a copy'
  return undefined
}

/** The record can only change the ConfigMap that carries it. */
function whyNotEditedMap(object: KubeObject): string | undefined {
  if (!/^istio(-|$)/.test(object.metadata.name))
    return 'it has a record of tracing, but no istiod reads a ConfigMap of that name'
  return isEdited(object, TRACING) ? undefined : 'its record (an annotation kubectl-telemetry/…) is invalid'
}
