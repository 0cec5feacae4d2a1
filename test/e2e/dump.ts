/** All objects of all API groups, to compare before and after. Only what the promise excludes is left out. */
import { labKubeConfig } from './lab-credentials.ts'
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

/** Kinds that controllers derive or that change without a user. */
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

/**
 * Annotations that only count or tick. Controllers write a Deployment's revision and the leases that istiod still keeps in ConfigMaps.
 * The API server writes `deprecated.daemonset.template.generation`: it counts the changes of a DaemonSet's pod template, as
 * `metadata.generation` counts those of the object, and no client can set it back.
 */
const TICKING = new Set([
  'deployment.kubernetes.io/revision',
  'control-plane.alpha.kubernetes.io/leader',
  'deprecated.daemonset.template.generation',
])

/** Objects by `kind.group namespace/name`, as JSON without what the API server counts and times, and without status. */
export function dump(workplace: Workplace): Map<string, string> {
  const items = lists(workplace).flatMap(({ apiVersion, kind, items }) =>
    items.map((item) => ({ ...item, apiVersion, kind: kind.replace(/List$/, '') })),
  )
  return new Map(items.filter(isOriginal).map((object) => [nameOf(object), JSON.stringify(substance(object), null, 1)]))
}

/** All objects of several clusters; a name begins with its cluster's number. */
export function dumpAll(...workplaces: Workplace[]): Map<string, string> {
  return new Map(
    workplaces.flatMap((workplace) =>
      [...dump(workplace)].map(([name, object]) => [`${workplace.cluster}: ${name}`, object] as const),
    ),
  )
}

interface List {
  apiVersion: string
  kind: string
  items: Dumped[]
}

/** Lists every kind of the API server over one connection; kubectl would take two seconds to print them. */
function lists(workplace: Workplace): List[] {
  const kinds = ask<Discovery>(workplace, ['/api', '/apis'], DISCOVERY).flatMap(({ items }) => items.flatMap(listPaths))
  return ask<List>(workplace, kinds)
}

/** The answers of the API server, by curl. */
function ask<T>(workplace: Workplace, paths: string[], ...more: string[]): T[] {
  const { clusters, users } = labKubeConfig(workplace.cluster)
  const { server, 'certificate-authority': authority } = clusters[0].cluster
  const { 'client-certificate': certificate, 'client-key': key } = users[0].user
  const urls = paths.map((path) => `${server}${path}`)
  // The API server ends each answer with a line feed, and has none inside (it has for curl, hence -A).
  const words = ['-sSf', '-A', 'e2e', '--cacert', authority, '--cert', certificate, '--key', key, ...more, ...urls]
  const { stdout, stderr, exitCode } = workplace.run('curl', words)
  if (exitCode !== 0) throw new Error(`curl: ${stderr}`)
  const lines = stdout.trimEnd().split('\n')
  if (lines.length !== urls.length) throw new Error(`requested ${urls.length} answers, got ${lines.length}`)
  return lines.map((line) => JSON.parse(line) as T)
}

/** All groups at once, with their kinds. */
const DISCOVERY = '-HAccept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

interface Discovery {
  items: Group[]
}

interface Group {
  metadata: { name?: string }
  /** The preferred one first. */
  versions: { version: string; resources?: { resource: string; verbs: string[] }[] }[]
}

/** `/api/v1/pods`, `/apis/apps/v1/deployments`, …: each kind in the first version that has it. */
function listPaths({ metadata: { name = '' }, versions }: Group): string[] {
  const group = name === '' ? '/api' : `/apis/${name}`
  const paths = new Map<string, string>()
  for (const { version, resources = [] } of versions)
    for (const { resource, verbs } of resources)
      if (verbs.includes('list') && !paths.has(resource)) paths.set(resource, `${group}/${version}/${resource}`)
  return [...paths.values()]
}

/** Names of objects that are new, gone or different. */
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
    // The API server sorts them by time.
    .sort((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)))
  return {
    ...object,
    metadata: { ...metadata, annotations: rest, managedFields: owners },
  }
}
