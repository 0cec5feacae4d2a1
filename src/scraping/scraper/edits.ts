/** The edits that give Prometheus a certificate of the mesh without capturing its traffic. Pure. */

import type { Edit, Fragments } from '../../changes/edits.ts'
import { at, type Path } from '../../changes/fields.ts'
import { type Entry, entryOf, withEntries, withoutEntries } from '../../changes/yaml-text.ts'
import type { KubeObject } from '../../cluster/cluster.ts'
import type { ConfigMap } from '../../cluster/objects.ts'
import { PROMETHEUSES } from '../../cluster/resources.ts'
import type { FoundPrometheus } from '../../prometheus/find.ts'
import { isMap, jsonOf, listOf, textOf } from '../../shapes.ts'
import { PROXY_CONFIG } from '../workload.ts'
import { INJECT } from './injection.ts'
import { MONITOR_FRAGMENT, withoutRules } from './operator.ts'
import { withoutSecureJob, withSecureJob } from './prometheus-yml.ts'
import { CERTIFICATES } from './secure-job.ts'

const VOLUME = 'istio-certs'
const USER_MOUNTS = 'sidecar.istio.io/userVolumeMount'
/** No traffic goes through the proxy: it only writes the certificate. */
const CAPTURE_ANNOTATIONS = [
  'traffic.sidecar.istio.io/includeInboundPorts',
  'traffic.sidecar.istio.io/includeOutboundIPRanges',
]

/**
 * Without this label, gateways and pods of the mesh would use mutual TLS to Prometheus, which has no listener for it (seen: 503 at its
 * page behind the ingress gateway).
 */
const ACCEPTS_PLAINTEXT = { 'security.istio.io/tlsMode': 'disabled' }

/**
 * The agent writes its certificate there, and Prometheus waits for the agent: a Prometheus that starts without the files omits the whole
 * job until its targets change.
 */
const ENTRIES: Entry[] = [
  { path: ['proxyMetadata', 'OUTPUT_CERTS'], value: CERTIFICATES },
  { path: ['holdApplicationUntilProxyStarts'], value: true },
]

/** Removes our entries from each text that the user has edited after we did. */
export const PROMETHEUS_FRAGMENTS: Fragments = {
  [MONITOR_FRAGMENT]: withoutRules,
  'prometheus.yml': (present, before) => withoutSecureJob(String(present), textOf(before)),
  [PROXY_CONFIG]: (present, before) => withoutEntries(String(present), textOf(before), ENTRIES),
  [USER_MOUNTS]: (present) => withoutMount(String(present)),
}

/** The directory of the mesh certificate in a Prometheus that the user has already given one. */
export function certificatesOf(found: FoundPrometheus): string | undefined {
  const { metadata, container } = placesOf(found)
  const config = at(found.object, [...metadata, 'annotations', PROXY_CONFIG])
  const directory = entryOf(typeof config === 'string' ? config : undefined, ['proxyMetadata', 'OUTPUT_CERTS'])
  if (typeof directory !== 'string' || at(found.object, [...metadata, 'labels', INJECT]) === 'false') return undefined
  const mounted = at(found.object, [...container, 'volumeMounts', { mountPath: directory }]) !== undefined
  return mounted ? directory : undefined
}

/** @param labels the labels with which its pods get a sidecar. @throws UserError YAML_INVALID (an existing annotation) */
export function sidecarEdits(found: FoundPrometheus, labels: Record<string, string>, object: KubeObject): Edit[] {
  const { metadata, volumes, container } = placesOf(found)
  const what = (name: string) => `annotation ${name} of ${found.resource.kind} ${found.namespace}/${found.name}`
  const annotation = (name: string) => at(object, [...metadata, 'annotations', name]) as string | undefined
  const text = (name: string, value: string): Edit => ({
    path: [...metadata, 'annotations', name],
    value,
    fragment: name,
  })
  return [
    ...Object.entries({ ...labels, ...ACCEPTS_PLAINTEXT }).map(([name, value]) => ({
      path: [...metadata, 'labels', name],
      value,
    })),
    ...CAPTURE_ANNOTATIONS.map((name) => ({ path: [...metadata, 'annotations', name], value: '' })),
    text(PROXY_CONFIG, withEntries(annotation(PROXY_CONFIG), ENTRIES, what(PROXY_CONFIG))),
    text(USER_MOUNTS, withMount(annotation(USER_MOUNTS))),
    // In memory, so that keys are not written to the node's disk.
    { path: [...volumes, { name: VOLUME }], value: { name: VOLUME, emptyDir: { medium: 'Memory' } } },
    {
      path: [...container, 'volumeMounts', { mountPath: CERTIFICATES }],
      value: { name: VOLUME, mountPath: CERTIFICATES, readOnly: true },
    },
  ]
}

/** @throws UserError YAML_INVALID, PROMETHEUS_CONFIG_UNKNOWN */
export function configurationEdits(configMap: ConfigMap, key: string, certificates: string): Edit[] {
  const { text } = secured(configMap, key, certificates)
  return [{ path: ['data', key], value: text, fragment: 'prometheus.yml' }]
}

export function secured(configMap: ConfigMap, key: string, certificates: string) {
  const { namespace = '', name } = configMap.metadata
  return withSecureJob(configMap.data?.[key] ?? '', `${key} in ConfigMap ${namespace}/${name}`, certificates)
}

/** The paths of metadata, volumes and container in a workload, or in the operator's object. */
function placesOf({ resource, container }: FoundPrometheus): { metadata: Path; volumes: Path; container: Path } {
  if (resource === PROMETHEUSES)
    return { metadata: ['spec', 'podMetadata'], volumes: ['spec', 'volumes'], container: ['spec'] }
  const pod = ['spec', 'template', 'spec']
  return {
    metadata: ['spec', 'template', 'metadata'],
    volumes: [...pod, 'volumes'],
    container: [...pod, 'containers', { name: container }],
  }
}

type Mount = { name?: string; mountPath?: string }

function withMount(text: string | undefined): string {
  const mounts = mountsIn(text)
  const own = { mountPath: CERTIFICATES }
  if (isMap(mounts)) return VOLUME in mounts ? (text ?? '') : JSON.stringify({ ...mounts, [VOLUME]: own })
  const isMounted = mounts.some(({ name }) => name === VOLUME)
  return isMounted && text !== undefined ? text : JSON.stringify([...mounts, { name: VOLUME, ...own }])
}

function withoutMount(text: string): string | undefined {
  const mounts = mountsIn(text)
  const left = isMap(mounts)
    ? Object.fromEntries(Object.entries(mounts).filter(([name]) => name !== VOLUME))
    : mounts.filter(({ name }) => name !== VOLUME)
  return Object.keys(left).length === 0 ? undefined : JSON.stringify(left)
}

/**
 * The injector goes through a list or an object in JSON, whose keys are names of volumes
 * (https://istio.io/latest/docs/tasks/traffic-management/ingress/ingress-sidecar-tls-termination/), and ignores any other value.
 */
function mountsIn(text: string | undefined): Mount[] | Record<string, unknown> {
  const mounts = jsonOf(text ?? '[]')
  return isMap(mounts) ? mounts : listOf(mounts).filter(isMap)
}
