/** All objects of all API groups, for before and after. What is left out is what the promise leaves out, and nothing else. */
import { readFileSync } from 'node:fs'
import { labPaths } from '../lab/lab.ts'
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
  const items = lists(workplace).flatMap(({ apiVersion, kind, items }) =>
    items.map((item) => ({ ...item, apiVersion, kind: kind.replace(/List$/, '') })),
  )
  return new Map(items.filter(isOriginal).map((object) => [nameOf(object), JSON.stringify(substance(object), null, 1)]))
}

interface List {
  apiVersion: string
  kind: string
  items: Dumped[]
}

/** One list of each kind that the API server has. By curl, over one connection: kubectl takes two seconds to print it all. */
function lists(workplace: Workplace): List[] {
  const { clusters, users } = JSON.parse(readFileSync(labPaths().kubeconfig, 'utf8')) as LabKubeConfig
  const { server, 'certificate-authority': authority } = clusters[0].cluster
  const { 'client-certificate': certificate, 'client-key': key } = users[0].user
  const urls = listPaths(workplace).map((path) => `${server}${path}`)
  const words = ['-sSf', '-A', 'e2e', '--cacert', authority, '--cert', certificate, '--key', key, ...urls]
  const { stdout, stderr, exitCode } = workplace.run('curl', words)
  if (exitCode !== 0) throw new Error(`curl: ${stderr}`)
  // The API server ends each answer with a line feed, and has none inside (it has for curl, hence -A).
  const found = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as List)
  if (found.length !== urls.length) throw new Error(`${urls.length} lists were asked for, ${found.length} came`)
  return found
}

interface LabKubeConfig {
  clusters: [{ cluster: { server: string; 'certificate-authority': string } }]
  users: [{ user: { 'client-certificate': string; 'client-key': string } }]
}

/** `/api/v1/pods`, `/apis/apps/v1/deployments`, … */
function listPaths(workplace: Workplace): string[] {
  const lines = workplace.kubectl('api-resources', '--verbs=list', '--no-headers').trim().split('\n')
  return lines.map((line) => {
    const [, plural, version] = /^(\S+) .*?((?:\S+\/)?v\d\w*) +(?:true|false) +\S+$/.exec(line.trim()) ?? []
    if (plural === undefined || version === undefined) throw new Error(`what is ${JSON.stringify(line)}?`)
    return `${version.includes('/') ? '/apis' : '/api'}/${version}/${plural}`
  })
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
