/**
 * Which fields of users' objects our own edits can change, kind by kind. A record in an annotation may have been written by anybody, and it is
 * followed with the rights of the person who cleans up: it can change what an edit of ours could have changed, and nothing else. Pure.
 */

import type { KubeObject } from '../cluster/cluster.ts'
import { appliedFields, type FieldSet, type Part } from '../cluster/ownership.ts'
import { isMap } from '../shapes.ts'
import type { Path, Step } from './fields.ts'
import { leavesOf } from './owners.ts'

type Matcher = string | ((step: Step) => boolean)

/** A field, and the values that it can have had before. */
interface Reach {
  path: Matcher[]
  allows: (before: unknown) => boolean
}

const ANNOTATIONS = [
  'proxy.istio.io/config',
  'kubectl-telemetry/restarted-for',
  'prometheus.istio.io/secure-port',
  'sidecar.istio.io/userVolumeMount',
  'traffic.sidecar.istio.io/excludeInboundPorts',
  'traffic.sidecar.istio.io/includeInboundPorts',
  'traffic.sidecar.istio.io/includeOutboundIPRanges',
]
const LABELS = ['sidecar.istio.io/inject', 'istio.io/rev', 'security.istio.io/tlsMode']
const VARIABLES = ['ENVOY_SECURE_METRICS_PORT', 'ENVOY_SECURE_MERGED_METRICS_PORT', 'METRICS_LOCALHOST_ACCESS_ONLY']
const VOLUME = 'istio-certs'
const MOUNT_PATH = '/etc/istio-certs'
const SCRAPE_CLASS = 'kubectl-telemetry-istio'

const isText = (value: unknown) => value === undefined || typeof value === 'string'
const oneOf = (names: string[]) => (step: Step) => typeof step === 'string' && names.includes(step)
/** An item of a list, selected by this key only: further keys would become fields of a new item. */
const item = (key: string, names?: string[]) => (step: Step) =>
  isMap(step) && Object.keys(step).join() === key && (names?.includes(String(step[key])) ?? true)
/** Nothing, or a map with at most these fields. */
const only =
  (...fields: string[]) =>
  (value: unknown) =>
    value === undefined || (isMap(value) && Object.keys(value).every((name) => fields.includes(name)))

/** @param container its path */
function podFields(metadata: Matcher[], volumes: Matcher[], container: Matcher[]): Reach[] {
  return [
    { path: [...metadata, 'annotations', oneOf(ANNOTATIONS)], allows: isText },
    { path: [...metadata, 'labels', oneOf(LABELS)], allows: isText },
    { path: [...volumes, item('name', [VOLUME])], allows: only('name', 'emptyDir') },
    {
      path: [...container, 'volumeMounts', item('mountPath', [MOUNT_PATH])],
      allows: only('name', 'mountPath', 'readOnly'),
    },
    { path: [...container, 'env', item('name', VARIABLES)], allows: only('name', 'value') },
  ]
}

const POD = ['spec', 'template', 'spec']
const WORKLOAD = podFields(['spec', 'template', 'metadata'], [...POD, 'volumes'], [...POD, 'containers', item('name')])
const isKey = (step: Step) => typeof step === 'string' && /^[-._a-zA-Z0-9]+$/.test(step)

const isListOfMaps = (value: unknown) => value === undefined || (Array.isArray(value) && value.every(isMap))

const REACH: Record<string, Reach[]> = {
  AuthorizationPolicy: [{ path: ['spec', 'rules'], allows: isListOfMaps }],
  ConfigMap: [{ path: ['data', isKey], allows: isText }],
  Deployment: WORKLOAD,
  StatefulSet: WORKLOAD,
  DaemonSet: WORKLOAD,
  PodMonitor: [
    { path: ['spec', 'podMetricsEndpoints'], allows: (value) => Array.isArray(value) && value.every(isMap) },
  ],
  Prometheus: [
    ...podFields(['spec', 'podMetadata'], ['spec', 'volumes'], ['spec']),
    { path: ['spec', 'scrapeClasses', item('name', [SCRAPE_CLASS])], allows: only('name', 'tlsConfig') },
  ],
}

/** Whether an edit of ours can change this field of an object of this kind, and the field can have had this value before. */
export function isWithinReach(kind: string, path: Path, before: unknown): boolean {
  return (REACH[kind] ?? []).some((one) => matches(path, one.path) && one.allows(before))
}

function matches(path: Path, matchers: Matcher[]): boolean {
  return (
    path.length === matchers.length &&
    matchers.every((matcher, index) => {
      const step = path[index] ?? ''
      return typeof matcher === 'string' ? step === matcher : matcher(step)
    })
  )
}

/** Fields that we apply to users' objects, as paths of managedFields. */
const APPLIED: Record<string, RegExp> = {
  Service: /^spec ports k:\{[^ ]*\}( (name|port|protocol|targetPort|nodePort))?$/,
  Sidecar: /^spec ingress$/,
  PeerAuthentication: /^spec portLevelMtls( 15091( mode)?)?$/,
  Telemetry: /^spec tracing$/,
  ...Object.fromEntries(['Deployment', 'StatefulSet', 'DaemonSet'].map((kind) => [kind, workloadFields()])),
}

function workloadFields(): RegExp {
  const annotations = ANNOTATIONS.join('|').replaceAll('.', '\\.')
  const variable = `env( k:\\{"name":"(${VARIABLES.join('|')})"\\}( (name|value))?)?`
  return new RegExp(
    `^spec template (metadata annotations (${annotations})|spec containers k:\\{"name":"[^" ]*"\\}( (name|${variable}))?)$`,
  )
}

const MARKS = /^metadata (labels kubectl-telemetry\/[a-z]+|annotations kubectl-telemetry\/empty-maps)$/

/**
 * Why the fields of the part's field manager in a user's object are not believed to be ours: no apply of ours sets one of them, so somebody
 * else used the name of the manager, and an empty apply would remove the field with the rights of the person who cleans up.
 */
export function whyNotEdited(object: KubeObject, part: Part): string | undefined {
  const fields: FieldSet = appliedFields(object, part) ?? {}
  const paths = leavesOf(fields).map((steps) => steps.map(nameOf).join(' ').replace(/ \.$/, ''))
  const beyond = paths.find((path) => !MARKS.test(path) && !(APPLIED[object.kind]?.test(path) ?? false))
  return beyond === undefined
    ? undefined
    : `its field ${beyond.slice(0, 200)} belongs to field manager ${part.manager}, and kubectl telemetry does not set this field`
}

function nameOf(step: string): string {
  return step.replace(/^f:/, '')
}
