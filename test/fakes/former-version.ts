/** Objects as the version before parts wrote them: one label and one field manager for all, a second manager for restarts. */
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { EXPOSING, isOwned, isOwnedBy, SCRAPING } from '../../src/cluster/ownership.ts'
import type { FakeCluster } from './fake-cluster.ts'
import { fieldsOf } from './server-side-apply.ts'

/** Rewrites the objects of this version in place. */
export function asFormerVersion({ objects }: FakeCluster): void {
  objects.splice(
    0,
    objects.length,
    ...objects.map((object) => (isOwned(object) ? formerOwned(object) : renamed(object))),
  )
}

function formerOwned(object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, labels = {}, ...metadata } = object.metadata
  const { 'kubectl-telemetry/part': _, ...rest } = labels
  const former = isOwnedBy(object, SCRAPING) ? { ...rest, 'kubectl-telemetry/scraping': 'true' } : rest
  const { apiVersion: _a, kind: _k, ...content } = object
  const fieldsV1 = fieldsOf({ ...content, metadata: { ...metadata, labels: former } })
  const managedFields = [{ manager: 'kubectl-telemetry', operation: 'Apply', fieldsV1 }]
  const place = { name, ...(namespace === undefined ? {} : { namespace }) }
  const versions = { uid, resourceVersion } as { uid: string; resourceVersion: string }
  return { ...object, metadata: { ...place, ...versions, ...metadata, labels: former, managedFields } }
}

function renamed(object: KubeObject): KubeObject {
  const entries = (object.metadata.managedFields ?? []) as { manager: string }[]
  if (entries.length === 0) return object
  const names: Record<string, string | undefined> = {
    [EXPOSING.manager]: EXPOSING.formerManager(object.kind),
    [SCRAPING.manager]: SCRAPING.formerManager(object.kind),
  }
  const managedFields = entries.map((entry) => ({ ...entry, manager: names[entry.manager] ?? entry.manager }))
  return { ...object, metadata: { ...object.metadata, managedFields } }
}
