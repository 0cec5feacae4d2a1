/** Reads the selected workloads and the proxies in their pods. The number of requests does not depend on the number of workloads. */
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import type { ConfigMap, Deployment, Pod } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { CONFIG_MAPS, DEPLOYMENTS, PODS, WORKLOADS } from '../cluster/resources.ts'
import { hasCode, UserError, usageError } from '../errors.ts'
import type { WorkloadObject } from '../workloads/workload-object.ts'
import { type Candidate, findCandidates, istiodVersions, type ListedWorkload } from './find.ts'
import { type Injector, injectorNames, injectorOf } from './injector.ts'
import { findLeftOut, type LeftOut } from './left-out.ts'
import { isAmbientPart, whyAmbient } from './methods/choose.ts'

/** A workload name from the command line; without a kind it may be of any kind. */
export interface WorkloadName {
  kind: string | undefined
  name: string
}

export interface WorkloadChoice {
  /** Empty: all workloads with a proxy. */
  names: WorkloadName[]
  /** A label selector, as `kubectl -l` takes it. */
  selector: string | undefined
  /** Empty: the namespace of the context. */
  namespaces: string[]
  allNamespaces: boolean
  /** Whether gateways are selected too. */
  gateways: boolean
}

export interface ScrapeSurvey {
  candidates: Candidate[]
  /** Pods with a proxy that belong to workloads of other kinds. */
  leftOut: LeftOut[]
  /** All pods of the searched namespaces. */
  pods: Pod[]
  /** The namespace whose policies apply to the whole mesh: that of istiod, unless the mesh configuration names another. */
  rootNamespace: string
  /** The settings of Istio's injectors, by revision; those that could not be read are left out. */
  injectors: Map<string, Injector>
  /** Namespaces that could not be read. */
  unread: UserError[]
}

/**
 * The selected workloads. Workloads without a proxy are selected only by name or by a selector; parts of ambient mode are selected to give
 * the reason why they are skipped.
 * @throws UserError WORKLOAD_NOT_FOUND, WORKLOAD_AMBIGUOUS, FORBIDDEN; SELECTION_INVALID (exit 2)
 */
export async function surveyWorkloads(choice: WorkloadChoice, cluster: Cluster): Promise<ScrapeSurvey> {
  requireSensible(choice)
  const { places, ...survey } = await readCandidates(choice, cluster)
  const leftOut = await selected(survey.leftOut, choice, cluster)
  return { ...survey, ...chosenOf({ ...survey, leftOut }, choice, places) }
}

/**
 * All workloads of the namespaces, with or without a proxy.
 * @returns also the searched places, for messages
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
  const rootNamespace = istiods?.[0]?.metadata.namespace ?? 'istio-system'
  const leftOut = findLeftOut(read.pods)
  return {
    ...rest,
    candidates,
    leftOut,
    rootNamespace,
    injectors: await readInjectors(candidates, istiods ?? [], cluster),
  }
}

/** One small read for each revision that injects a selected workload. */
async function readInjectors(candidates: Candidate[], istiods: Deployment[], cluster: Cluster) {
  const revisions = [...new Set(candidates.flatMap(({ proxy, revision }) => (proxy === 'sidecar' && revision) || []))]
  const read = await Promise.all(
    revisions.map(async (revision): Promise<[string, Injector | undefined]> => {
      const own = istiods.find(({ metadata: { labels } }) => (labels?.['istio.io/rev'] ?? 'default') === revision)
      const namespace = own?.metadata.namespace ?? 'istio-system'
      for (const name of injectorNames(revision)) {
        const configMap = await readable(cluster.get<ConfigMap>(CONFIG_MAPS, { name, namespace }))
        if (configMap !== undefined) return [revision, injectorOf(configMap)]
      }
      return [revision, undefined]
    }),
  )
  return new Map(read.filter((one): one is [string, Injector] => one[1] !== undefined))
}

/** The same rules as in kubectl. */
function requireSensible({ names, selector, allNamespaces, namespaces }: WorkloadChoice): void {
  const refuse = (message: string, suggestion: string) => {
    throw usageError('SELECTION_INVALID', message, [suggestion])
  }
  if (names.length > 0 && selector !== undefined)
    refuse('choose workloads by name or by -l, not by both', 'kubectl telemetry scrape-secure -l app=web')
  if (names.length > 0 && allNamespaces)
    refuse(
      'a workload name cannot be combined with -A: it is searched for in one namespace',
      'kubectl telemetry scrape-secure deploy/web -n shop',
    )
  if (allNamespaces && namespaces.length > 0)
    refuse('-n and -A exclude each other', 'kubectl telemetry scrape-secure -A')
}

interface WorkloadLists {
  workloads: ListedWorkload[]
  pods: Pod[]
  /** `namespace shop`: the searched places, for messages. */
  places: string
  /** Namespaces that could not be read. */
  unread: UserError[]
}

async function readWorkloads(
  choice: Pick<WorkloadChoice, 'allNamespaces' | 'namespaces' | 'selector'>,
  cluster: Cluster,
): Promise<WorkloadLists> {
  const { allNamespaces, selector } = choice
  if (allNamespaces)
    return { ...(await readPlace(undefined, selector, cluster).catch(narrower)), places: 'any namespace', unread: [] }
  const namespaces = choice.namespaces.length > 0 ? choice.namespaces : [cluster.namespace]
  const read = await Promise.allSettled(namespaces.map((namespace) => readPlace(namespace, selector, cluster)))
  const refused = read.map((one) => (one.status === 'rejected' ? one.reason : undefined))
  const other = refused.find((error) => error !== undefined && !isForbidden(error))
  // If only some of several namespaces cannot be read, that is a warning; otherwise it is an error.
  if (other !== undefined || refused.every(isForbidden)) throw other ?? refused[0]
  const found = read.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const unread = refused.flatMap((error, index) =>
    isForbidden(error) ? [notRead(namespaces[index] ?? '', error)] : [],
  )
  const names = namespaces.filter((_, index) => isForbidden(refused[index]))
  const places = `namespace${namespaces.length > 1 ? 's' : ''} ${namespaces.join(', ')}${names.length > 0 ? ` (${names.join(', ')} could not be read)` : ''}`
  return { workloads: found.flatMap((one) => one.workloads), pods: found.flatMap(({ pods }) => pods), places, unread }
}

/** @param namespace left out: all */
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
  return hasCode(error, 'FORBIDDEN')
}

function narrower(error: unknown): never {
  if (!isForbidden(error)) throw error
  throw new UserError(error.code, `-A reads workloads and pods of all namespaces: ${error.message}`, {
    suggestions: ['-n NAMESPACE -n ANOTHER   # namespaces that you may read', ...error.suggestions],
    cause: error,
  })
}

function notRead(namespace: string, cause: UserError): UserError {
  return new UserError('NAMESPACE_NOT_READ', `namespace ${namespace} was skipped: ${cause.message}`, {
    suggestions: cause.suggestions.length > 0 ? cause.suggestions : ['kubectl auth can-i --list'],
    cause,
  })
}

type Chosen = Pick<ScrapeSurvey, 'candidates' | 'leftOut'>

/** Those with a pod that the selector selects: the API server decides about it. */
async function selected(leftOut: LeftOut[], { selector }: WorkloadChoice, cluster: Cluster): Promise<LeftOut[]> {
  if (selector === undefined || leftOut.length === 0) return leftOut
  const namespaces = [...new Set(leftOut.map(({ namespace }) => namespace))]
  const options = { labels: selector, metadataOnly: true }
  const lists = await Promise.all(
    namespaces.map((namespace) => cluster.list<KubeObject>(PODS, { ...options, namespace })),
  )
  const uids = new Set(lists.flat().map(({ metadata }) => metadata.uid))
  return leftOut.filter(({ pods }) => pods.some(({ metadata }) => uids.has(metadata.uid)))
}

function chosenOf(all: Chosen, choice: WorkloadChoice, places: string): Chosen {
  const { names, selector, gateways } = choice
  if (names.length > 0) return namedOf(all, names, places)
  // Gateways need --gateways. A selector also selects workloads without a proxy, so that the user sees why they are skipped.
  const isMeant = (proxy: Candidate['proxy']) =>
    proxy === 'gateway' ? gateways : proxy === 'sidecar' || selector !== undefined
  const candidates = all.candidates.filter((one) => isMeant(one.proxy) || isAmbientPart({ skip: whyAmbient(one) }))
  const leftOut = all.leftOut.filter(({ proxy }) => isMeant(proxy))
  if (selector !== undefined && candidates.length + leftOut.length === 0)
    throw new UserError('WORKLOAD_NOT_FOUND', `no workload in ${places} matches the selector ${selector}`, {
      suggestions: ['kubectl get deployments,statefulsets,daemonsets --show-labels'],
    })
  return { candidates, leftOut }
}

/** Workloads of other kinds only where no other workload has the name. */
function namedOf(all: Chosen, names: WorkloadName[], places: string): Chosen {
  const others = (wanted: WorkloadName) =>
    all.leftOut.filter(({ kind, name }) => name === wanted.name && [undefined, kind].includes(wanted.kind))
  const isOther = (wanted: WorkloadName) =>
    others(wanted).length > 0 && !all.candidates.some(({ object }) => object.metadata.name === wanted.name)
  const [other, own] = [names.filter(isOther), names.filter((name) => !isOther(name))]
  return {
    candidates: [...new Set(own.flatMap((name) => requireNamed(all.candidates, name, places)))],
    leftOut: [...new Set(other.flatMap(others))],
  }
}

/** The workloads of that name: one in each of several namespaces. */
function requireNamed(candidates: Candidate[], { kind, name }: WorkloadName, places: string): Candidate[] {
  const found = candidates.filter(
    ({ resource, object }) => object.metadata.name === name && (kind === undefined || resource.kind === kind),
  )
  const what = kind === undefined ? `workload ${name}` : `${kind.toLowerCase()}/${name}`
  if (found.length === 0)
    throw new UserError('WORKLOAD_NOT_FOUND', `there is no ${what} in ${places}`, {
      suggestions: [
        // A word after flags is read as a workload name.
        ...(name === 'status'
          ? ['kubectl telemetry scrape-secure status -n NAMESPACE   # status comes first, flags after it']
          : []),
        'kubectl get deployments,statefulsets,daemonsets',
        '-n NAMESPACE',
      ],
    })
  const kinds = [...new Set(found.map(({ resource }) => resource.kind.toLowerCase()))]
  if (kinds.length > 1)
    throw new UserError('WORKLOAD_AMBIGUOUS', `several workloads in ${places} are named ${name}`, {
      suggestions: kinds.map((one) => `${one}/${name}`),
    })
  return found
}
