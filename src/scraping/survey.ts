/** Which workloads are meant, and what of Istio runs in them: read in lists, however many there are. */
import type { Cluster } from '../cluster/cluster.ts'
import type { Deployment, Pod } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { DEPLOYMENTS, PODS, WORKLOADS } from '../cluster/resources.ts'
import { UserError, usageError } from '../errors.ts'
import type { Warning } from '../world.ts'
import { type Candidate, findCandidates, istiodVersions, type ListedWorkload } from './find.ts'
import type { WorkloadObject } from './workload.ts'

/** A workload that was named; of any kind when no kind was. */
export interface WorkloadName {
  kind: string | undefined
  name: string
}

export interface WorkloadChoice {
  /** Empty: all that have a proxy. */
  names: WorkloadName[]
  /** A label selector, as `kubectl -l` takes it. */
  selector: string | undefined
  /** None: the context's. */
  namespaces: string[]
  allNamespaces: boolean
  /** Gateways too. */
  gateways: boolean
}

export interface ScrapeSurvey {
  candidates: Candidate[]
  /** All pods where was looked, of whatever workload. */
  pods: Pod[]
  /** Where Istio looks for what holds for all of the mesh: istiod's own, unless the mesh configuration says otherwise. */
  rootNamespace: string
  warnings: Warning[]
}

/**
 * The workloads that are meant. Without a name or a selector those without a proxy are none of them.
 * @throws UserError WORKLOAD_NOT_FOUND, WORKLOAD_AMBIGUOUS, FORBIDDEN; SELECTION_INVALID (exit 2)
 */
export async function surveyWorkloads(choice: WorkloadChoice, cluster: Cluster): Promise<ScrapeSurvey> {
  requireSensible(choice)
  const { places, ...survey } = await readCandidates(choice, cluster)
  return { ...survey, candidates: chosenOf(survey.candidates, choice, places) }
}

/**
 * All workloads there, with or without a proxy.
 * @returns with where was looked, for messages
 * @throws UserError FORBIDDEN
 */
export async function readCandidates(
  choice: Pick<WorkloadChoice, 'allNamespaces' | 'namespaces' | 'selector'>,
  cluster: Cluster,
): Promise<ScrapeSurvey & { places: string }> {
  const [read, istiods] = await Promise.all([
    readWorkloads(choice, cluster),
    readable(cluster.list<Deployment>(DEPLOYMENTS, { labels: 'app=istiod' })),
  ])
  const { workloads, ...rest } = read
  const candidates = findCandidates(workloads, read.pods, istiodVersions(istiods ?? []))
  return { ...rest, candidates, rootNamespace: istiods?.[0]?.metadata.namespace ?? 'istio-system' }
}

/** As kubectl has it. */
function requireSensible({ names, selector, allNamespaces, namespaces }: WorkloadChoice): void {
  const refuse = (message: string, suggestion: string) => {
    throw usageError('SELECTION_INVALID', message, [suggestion])
  }
  if (names.length > 0 && selector !== undefined)
    refuse('a workload is chosen by its name or by -l, not by both', 'scrape-secure -l app=web')
  if (names.length > 0 && allNamespaces)
    refuse(
      'a workload that is named is in one namespace, so -A does not go with it',
      'scrape-secure deploy/web -n shop',
    )
  if (allNamespaces && namespaces.length > 0) refuse('-n and -A exclude each other', 'scrape-secure -A')
}

interface Read {
  workloads: ListedWorkload[]
  pods: Pod[]
  /** `namespace shop`: where was looked, for messages. */
  places: string
  warnings: Warning[]
}

async function readWorkloads(
  choice: Pick<WorkloadChoice, 'allNamespaces' | 'namespaces' | 'selector'>,
  cluster: Cluster,
): Promise<Read> {
  const { allNamespaces, selector } = choice
  if (allNamespaces)
    return { ...(await readPlace(undefined, selector, cluster).catch(narrower)), places: 'any namespace', warnings: [] }
  const namespaces = choice.namespaces.length > 0 ? choice.namespaces : [cluster.namespace]
  const read = await Promise.allSettled(namespaces.map((namespace) => readPlace(namespace, selector, cluster)))
  const refused = read.map((one) => (one.status === 'rejected' ? one.reason : undefined))
  const other = refused.find((error) => error !== undefined && !isForbidden(error))
  // One namespace of several that may not be read is something to know; the only one is an error.
  if (other !== undefined || refused.every(isForbidden)) throw other ?? refused[0]
  const found = read.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const warnings = refused.flatMap((error, index) =>
    isForbidden(error) ? [notRead(namespaces[index] ?? '', error)] : [],
  )
  const unread = namespaces.filter((_, index) => isForbidden(refused[index]))
  const places = `namespace${namespaces.length > 1 ? 's' : ''} ${namespaces.join(', ')}${unread.length > 0 ? ` (${unread.join(', ')} could not be read)` : ''}`
  return { workloads: found.flatMap((one) => one.workloads), pods: found.flatMap(({ pods }) => pods), places, warnings }
}

/** @param namespace all when left out */
async function readPlace(
  namespace: string | undefined,
  selector: string | undefined,
  cluster: Cluster,
): Promise<{ workloads: ListedWorkload[]; pods: Pod[] }> {
  const place = namespace === undefined ? {} : { namespace }
  const labels = selector === undefined ? {} : { labels: selector }
  const [pods, ...lists] = await Promise.all([
    cluster.list<Pod>(PODS, place),
    ...WORKLOADS.map((resource) => cluster.list<WorkloadObject>(resource, { ...place, ...labels })),
  ])
  const workloads = WORKLOADS.flatMap((resource, index) => (lists[index] ?? []).map((object) => ({ resource, object })))
  return { workloads, pods }
}

function isForbidden(error: unknown): error is UserError {
  return error instanceof UserError && error.code === 'FORBIDDEN'
}

function narrower(error: unknown): never {
  if (!isForbidden(error)) throw error
  throw new UserError('FORBIDDEN', `-A reads workloads and pods of all namespaces: ${error.message}`, {
    suggestions: ['-n NAMESPACE -n ANOTHER   # only where you may', ...error.suggestions],
    cause: error,
  })
}

function notRead(namespace: string, error: UserError): Warning {
  return {
    code: 'NAMESPACE_NOT_READ',
    message: `namespace ${namespace} was left out: ${error.message}`,
    remedy: error.suggestions[0] ?? 'kubectl auth can-i --list',
  }
}

function chosenOf(candidates: Candidate[], choice: WorkloadChoice, places: string): Candidate[] {
  const { names, selector, gateways } = choice
  if (names.length > 0) return [...new Set(names.flatMap((name) => requireNamed(candidates, name, places)))]
  // A gateway is meant when gateways are; whoever selects by labels is told about the others.
  const meant = candidates.filter(({ proxy }) =>
    proxy === 'gateway' ? gateways : proxy === 'sidecar' || selector !== undefined,
  )
  if (selector !== undefined && meant.length === 0)
    throw new UserError('WORKLOAD_NOT_FOUND', `no workload in ${places} has the labels ${selector}`, {
      suggestions: ['kubectl get deployments,statefulsets,daemonsets --show-labels'],
    })
  return meant
}

/** One of that name; in several namespaces, when several were named. */
function requireNamed(candidates: Candidate[], { kind, name }: WorkloadName, places: string): Candidate[] {
  const found = candidates.filter(
    ({ resource, object }) => object.metadata.name === name && (kind === undefined || resource.kind === kind),
  )
  const what = kind === undefined ? `workload ${name}` : `${kind.toLowerCase()}/${name}`
  if (found.length === 0)
    throw new UserError('WORKLOAD_NOT_FOUND', `there is no ${what} in ${places}`, {
      suggestions: [
        // A word after flags is a workload's name.
        ...(name === 'status' ? ['kubectl telemetry scrape-secure status -n NAMESPACE   # in this order'] : []),
        'kubectl get deployments,statefulsets,daemonsets',
        '-n NAMESPACE',
      ],
    })
  const kinds = [...new Set(found.map(({ resource }) => resource.kind.toLowerCase()))]
  if (kinds.length > 1)
    throw new UserError('WORKLOAD_AMBIGUOUS', `there are several workloads ${name} in ${places}`, {
      suggestions: kinds.map((one) => `${one}/${name}`),
    })
  return found
}
