/** What changes in a Prometheus so that it has a certificate of the mesh, and nothing of it is captured. Pure. */
import type { Edit, Parts } from '../../changes/edits.ts'
import { at, type Path } from '../../changes/fields.ts'
import { type Entry, entryOf, withEntries, withoutEntries } from '../../changes/yaml-text.ts'
import type { KubeObject } from '../../cluster/cluster.ts'
import type { ConfigMap } from '../../cluster/objects.ts'
import { PROMETHEUSES } from '../../cluster/resources.ts'
import type { FoundPrometheus } from '../../prometheus/find.ts'
import { INJECT } from './injection.ts'
import { MONITOR_PART, withoutRules } from './operator.ts'
import { withoutSecureJob, withSecureJob } from './prometheus-yml.ts'
import { CERTIFICATES } from './secure-job.ts'

const VOLUME = 'istio-certs'
const PROXY_CONFIG = 'proxy.istio.io/config'
const USER_MOUNTS = 'sidecar.istio.io/userVolumeMount'
/** Nothing goes through the proxy: it is there for the certificate. */
const UNCAPTURED = ['traffic.sidecar.istio.io/includeInboundPorts', 'traffic.sidecar.istio.io/includeOutboundIPRanges']

/**
 * Otherwise gateways and pods of the mesh would speak mutual TLS to Prometheus, where nothing understands it (seen: 503 at its page
 * behind the ingress gateway).
 */
const SPOKEN_TO_IN_CLEAR = { 'security.istio.io/tlsMode': 'disabled' }

/**
 * The agent writes its certificate there, and Prometheus waits for it: one that starts without the files leaves the whole job out until
 * something else changes.
 */
const ENTRIES: Entry[] = [
  { path: ['proxyMetadata', 'OUTPUT_CERTS'], value: CERTIFICATES },
  { path: ['holdApplicationUntilProxyStarts'], value: true },
]

/** How each text that is ours in part is taken out of what somebody has made of it since. */
export const PROMETHEUS_PARTS: Parts = {
  [MONITOR_PART]: withoutRules,
  'prometheus.yml': (present, before) => withoutSecureJob(String(present), textOf(before)),
  [PROXY_CONFIG]: (present, before) => withoutEntries(String(present), textOf(before), ENTRIES),
  [USER_MOUNTS]: (present) => withoutMount(String(present)),
}

/** Where the certificate of the mesh is in a Prometheus that has one already: somebody else's doing. */
export function certificatesOf(found: FoundPrometheus): string | undefined {
  const { metadata, container } = placesOf(found)
  const config = at(found.object, [...metadata, 'annotations', PROXY_CONFIG])
  const directory = entryOf(typeof config === 'string' ? config : undefined, ['proxyMetadata', 'OUTPUT_CERTS'])
  if (typeof directory !== 'string' || at(found.object, [...metadata, 'labels', INJECT]) === 'false') return undefined
  const mounted = at(found.object, [...container, 'volumeMounts', { mountPath: directory }]) !== undefined
  return mounted ? directory : undefined
}

/** @param labels with which its pods get a sidecar. @throws UserError YAML_INVALID (an annotation that is there) */
export function sidecarEdits(found: FoundPrometheus, labels: Record<string, string>, object: KubeObject): Edit[] {
  const { metadata, volumes, container } = placesOf(found)
  const what = (name: string) => `annotation ${name} of ${found.resource.kind} ${found.namespace}/${found.name}`
  const annotation = (name: string) => at(object, [...metadata, 'annotations', name]) as string | undefined
  const text = (name: string, value: string): Edit => ({ path: [...metadata, 'annotations', name], value, part: name })
  return [
    ...Object.entries({ ...labels, ...SPOKEN_TO_IN_CLEAR }).map(([name, value]) => ({
      path: [...metadata, 'labels', name],
      value,
    })),
    ...UNCAPTURED.map((name) => ({ path: [...metadata, 'annotations', name], value: '' })),
    text(PROXY_CONFIG, withEntries(annotation(PROXY_CONFIG), ENTRIES, what(PROXY_CONFIG))),
    text(USER_MOUNTS, withMount(annotation(USER_MOUNTS))),
    // In memory: keys are not written to the node's disk.
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
  return [{ path: ['data', key], value: text, part: 'prometheus.yml' }]
}

export function secured(configMap: ConfigMap, key: string, certificates: string) {
  const { namespace = '', name } = configMap.metadata
  return withSecureJob(configMap.data?.[key] ?? '', `${key} in ConfigMap ${namespace}/${name}`, certificates)
}

/** Where these things are in a workload, and in the operator's object. */
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
  const ours = mounts.some(({ name }) => name === VOLUME)
  return ours && text !== undefined ? text : JSON.stringify([...mounts, { name: VOLUME, mountPath: CERTIFICATES }])
}

function withoutMount(text: string): string | undefined {
  const left = mountsIn(text).filter(({ name }) => name !== VOLUME)
  return left.length === 0 ? undefined : JSON.stringify(left)
}

/** The injector takes a list as JSON; what is no list it does not take at all. */
function mountsIn(text: string | undefined): Mount[] {
  try {
    const mounts: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(mounts) ? (mounts as Mount[]) : []
  } catch {
    return []
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
