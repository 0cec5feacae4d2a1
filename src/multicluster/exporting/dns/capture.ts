/** Whether sidecars of callers answer names by themselves, and the change of a pod template that makes them. Pure. */
import type { Edit, Fragments } from '../../../changes/edits.ts'
import type { ObjectEdit } from '../../../changes/object-edits.ts'
import { type Entry, entryOf, withEntries, withoutEntries } from '../../../changes/yaml-text.ts'
import type { KubeObject, Resource } from '../../../cluster/cluster.ts'
import type { ConfigMap, Pod } from '../../../cluster/objects.ts'
import { MULTICLUSTER } from '../../../cluster/ownership.ts'
import { isGatewayPod } from '../../../gateways/find.ts'
import { meshOf } from '../../../gateways/mesh.ts'
import { mapOf, textOf } from '../../../shapes.ts'
import { PROXY_CONTAINER, proxyImage } from '../../../workloads/proxy.ts'
import type { WorkloadObject } from '../../../workloads/workload-object.ts'

/** https://istio.io/latest/docs/ops/configuration/traffic-management/dns-proxy/ */
const CAPTURE = 'ISTIO_META_DNS_CAPTURE'
const PROXY_CONFIG = 'proxy.istio.io/config'
const ENTRIES: Entry[] = [{ path: ['proxyMetadata', CAPTURE], value: 'true' }]

/** Removes our entry from an annotation that somebody has edited since. */
export const CAPTURE_FRAGMENTS: Fragments = {
  'dns-capture': (present, before) => withoutEntries(String(present), textOf(before), ENTRIES),
}

/** Whether the sidecar of a pod answers names; `undefined` without one. The injector writes the setting into its environment. */
export function capturesDns(pod: Pod): boolean | undefined {
  if (proxyImage(pod) === undefined || isGatewayPod(pod)) return undefined
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
  const variables = containers.filter(({ name }) => name === PROXY_CONTAINER).flatMap(({ env = [] }) => env)
  return variables.some(({ name, value }) => name === CAPTURE && value === 'true')
}

/** Whether all sidecars of the pods answer names; without any sidecar, whether the next ones will. */
export function allCapture(pods: readonly Pod[], configuration: ConfigMap | undefined): boolean {
  const answers = pods.map(capturesDns).filter((one) => one !== undefined)
  if (answers.length > 0) return answers.every(Boolean)
  const defaults = mapOf(mapOf(meshOf(configuration).defaultConfig).proxyMetadata)
  return defaults[CAPTURE] === 'true'
}

/** The edit of a workload whose sidecars answer names from now on. It restarts the pods. */
export function captureEdit(resource: Resource, object: WorkloadObject): ObjectEdit {
  return { resource, object, part: MULTICLUSTER, fragments: CAPTURE_FRAGMENTS, edits: editsOf }
}

/** @throws UserError YAML_INVALID for an annotation that is no YAML */
function editsOf(object: KubeObject): Edit[] {
  const template = mapOf(mapOf(object.spec).template)
  const present = textOf(mapOf(mapOf(template.metadata).annotations)[PROXY_CONFIG])
  if (entryOf(present, ['proxyMetadata', CAPTURE]) === 'true') return []
  const what = `annotation ${PROXY_CONFIG} of ${object.kind} ${object.metadata.namespace}/${object.metadata.name}`
  const path = ['spec', 'template', 'metadata', 'annotations', PROXY_CONFIG]
  return [{ path, value: withEntries(present, ENTRIES, what), fragment: 'dns-capture' }]
}
