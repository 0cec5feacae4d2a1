/** All objects of all API groups, for before and after. What is left out is what the promise leaves out, and nothing else. */
import type { Workplace } from './mesh.ts'

interface Dumped {
  apiVersion: string
  kind: string
  metadata: {
    name: string
    namespace?: string
    resourceVersion?: string
    generation?: number
    annotations?: Record<string, string>
    ownerReferences?: { controller?: boolean }[]
    managedFields?: { time?: string; subresource?: string }[]
  }
  status?: unknown
}

/** What controllers derive, and what changes by itself. */
const DERIVED = new Set([
  'Event',
  'Lease',
  'ReplicaSet',
  'ControllerRevision',
  'EndpointSlice',
  'Endpoints',
  'PodMetrics',
  'NodeMetrics',
])

/** Annotations that controllers write by themselves: a Deployment's revision, and the leases that istiod still keeps in ConfigMaps. */
const TICKING = new Set(['deployment.kubernetes.io/revision', 'control-plane.alpha.kubernetes.io/leader'])

/** Objects by `kind.group namespace/name`, as JSON less what the API server counts and times, status and revision annotations. */
export function dump(workplace: Workplace): Map<string, string> {
  const names = workplace.kubectl('api-resources', '--verbs=list', '-o', 'name').trim().split('\n')
  const { items } = JSON.parse(
    workplace.kubectl('get', names.join(','), '-A', '-o', 'json', '--show-managed-fields'),
  ) as { items: Dumped[] }
  return new Map(items.filter(isOriginal).map((object) => [nameOf(object), JSON.stringify(substance(object), null, 1)]))
}

/** Names of what is new, gone or different. */
export function difference(before: Map<string, string>, after: Map<string, string>): string[] {
  const names = new Set([...before.keys(), ...after.keys()])
  return [...names].filter((name) => before.get(name) !== after.get(name)).sort()
}

function isOriginal({ kind, metadata }: Dumped): boolean {
  const owned = metadata.ownerReferences?.some(({ controller }) => controller) ?? false
  return !DERIVED.has(kind) && !(kind === 'Pod' && owned)
}

function nameOf({ apiVersion, kind, metadata }: Dumped): string {
  return `${kind} ${apiVersion} ${metadata.namespace ?? ''}/${metadata.name}`
}

function substance({ status: _status, ...object }: Dumped): object {
  const {
    resourceVersion: _version,
    generation: _generation,
    annotations,
    managedFields,
    ...metadata
  } = object.metadata
  const rest = Object.fromEntries(Object.entries(annotations ?? {}).filter(([name]) => !TICKING.has(name)))
  const owners = managedFields
    ?.filter(({ subresource }) => subresource !== 'status')
    .map(({ time: _time, ...entry }) => entry)
  return {
    ...object,
    metadata: { ...metadata, annotations: rest, managedFields: owners },
  }
}
