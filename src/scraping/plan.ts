/** Plans the change of each workload from lists that are read once, and rehearses each plan. */

import { type Change, planChanges, rehearse } from '../changes/changes.ts'
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { SCRAPING } from '../cluster/ownership.ts'
import { requireIstioVersion } from '../cluster/reading.ts'
import {
  authorizationPolicies,
  gateways,
  NETWORK_POLICIES,
  peerAuthentications,
  SERVICES,
  serviceEntries,
  sidecars,
  virtualServices,
} from '../cluster/resources.ts'
import type { Code } from '../codes.ts'
import { hasCode } from '../errors.ts'
import { controlPlaneOf, isRead } from '../workloads/control-plane.ts'
import type { Candidate } from './find.ts'
import { chooseMethod, whyNotReady } from './methods/choose.ts'
import type { Scene, ScrapeOptions } from './methods/planner.ts'
import { PLANNERS } from './methods/planners.ts'
import type { ScrapeSurvey } from './survey.ts'
import type { Method, Skip, Workload } from './workload.ts'

/** A selected workload and its planned changes. */
export interface PlannedWorkload {
  candidate: Candidate
  method: Method | undefined
  /** If set, there are no changes. */
  skip: Skip | undefined
  changes: Change[]
  scene: Scene
}

/** How many rehearsals run at the same time. */
const AT_ONCE = 16
/** Errors that concern only one workload. */
const WORKLOAD_ERRORS: Code[] = ['FORBIDDEN', 'FIELD_CONFLICT', 'REJECTED', 'CHANGED_ON_WRITE', 'NOT_OURS', 'NOT_FOUND']

/** @throws UserError ISTIO_NOT_FOUND */
export async function planWorkloads(
  { candidates, pods, rootNamespace, injectors }: ScrapeSurvey,
  choice: 'auto' | Method,
  options: ScrapeOptions,
  cluster: Cluster,
): Promise<PlannedWorkload[]> {
  const istioVersion = await requireIstioVersion(cluster)
  const chosen = candidates.map((candidate) => chooseMethod(candidate, choice)).filter((one) => 'method' in one)
  const related = await readRelated(chosen, { options, istioVersion, rootNamespace }, cluster)
  const byPlace = {
    pods: byNamespace(pods),
    services: byNamespace(related.services),
    objects: byNamespace(related.objects),
  }
  const meshWide = related.objects.filter(
    ({ kind, metadata }) => MESH_WIDE_KINDS.includes(kind) && metadata.namespace === rootNamespace,
  )
  return candidates.map((candidate) => {
    const { namespace = '' } = candidate.object.metadata
    const own = new Set(candidate.pods)
    const planned = planWorkload(candidate, choice, {
      ...{ options, istioVersion, rootNamespace, pods: candidate.pods },
      injector: injectors.get(candidate.revision ?? ''),
      neighbours: (byPlace.pods.get(namespace) ?? []).filter((pod) => !own.has(pod)),
      services: byPlace.services.get(namespace) ?? [],
      objects: [...(byPlace.objects.get(namespace) ?? []), ...(namespace === rootNamespace ? [] : meshWide)].filter(
        (one) => isReadBy(one, candidate),
      ),
    })
    const skip = planned.skip ?? whyNotReady(candidate)
    return skip === undefined ? planned : { ...planned, skip, changes: [] }
  })
}

/** In the root namespace, objects of these kinds apply to the whole mesh. */
const MESH_WIDE_KINDS = ['Sidecar', 'AuthorizationPolicy']

/** Whether the istiod of a workload reads an object. NetworkPolicies are for no istiod. */
function isReadBy(object: KubeObject, { revision, pods }: Candidate): boolean {
  const own = revision === undefined ? controlPlaneOf(pods) : { revision }
  return object.kind === 'NetworkPolicy' || isRead(object, own)
}

function byNamespace<T extends KubeObject>(objects: T[]): Map<string, T[]> {
  return Map.groupBy(objects, ({ metadata }) => metadata.namespace ?? '')
}

/** @param scene the objects around the workload */
export function planWorkload(candidate: Candidate, choice: 'auto' | Method, scene: Scene): PlannedWorkload {
  const chosen = chooseMethod(candidate, choice)
  if ('skip' in chosen) return { candidate, method: undefined, skip: chosen.skip, changes: [], scene }
  const { workload, method } = chosen
  const planned = PLANNERS[workload.proxy][method](workload, scene)
  if ('skip' in planned) return { candidate, method, skip: planned.skip, changes: [], scene }
  const changes = planChanges(planned.writings, [workload.object, ...scene.objects], SCRAPING)
  return { candidate, method, skip: undefined, changes, scene }
}

/** Reads the objects around workloads. Native ports do not need them, so they are not read for that method. */
async function readRelated(
  chosen: { workload: Workload; method: Method }[],
  { options, istioVersion, rootNamespace }: Pick<Scene, 'options' | 'istioVersion' | 'rootNamespace'>,
  cluster: Cluster,
): Promise<Pick<Scene, 'services' | 'objects'>> {
  const readFor = chosen.filter(({ method }) => method === 'sidecar' || options.onlyPrometheus !== undefined)
  if (readFor.length === 0) return { services: [], objects: [] }
  const namespaces = [
    ...new Set([...readFor.map(({ workload }) => workload.object.metadata.namespace ?? ''), rootNamespace]),
  ]
  const read = async <T extends KubeObject>(resource: Resource) => {
    const lists = await Promise.all(placesOf(namespaces).map((place) => cluster.list<T>(resource, place)))
    return lists.flat()
  }
  const kinds = [sidecars, peerAuthentications, authorizationPolicies, serviceEntries, gateways, virtualServices]
  const [services, ...objects] = await Promise.all([
    read<Service>(SERVICES),
    ...[...kinds.map((kind) => kind(istioVersion)), NETWORK_POLICIES].map((kind) => read(kind)),
  ])
  return { services, objects: objects.flat() }
}

/** One list for each of a few namespaces, or one list of all namespaces. */
function placesOf(namespaces: string[]): { namespace?: string }[] {
  return namespaces.length > 3 ? [{}] : namespaces.map((namespace) => ({ namespace }))
}

/** Lets the API server try all changes. A workload whose changes it refuses is skipped with that reason. */
export async function rehearseWorkloads(
  planned: readonly PlannedWorkload[],
  cluster: Cluster,
): Promise<PlannedWorkload[]> {
  const rehearsed: PlannedWorkload[] = []
  for (let at = 0; at < planned.length; at += AT_ONCE)
    rehearsed.push(...(await Promise.all(planned.slice(at, at + AT_ONCE).map((one) => rehearseOne(one, cluster)))))
  return rehearsed
}

async function rehearseOne(planned: PlannedWorkload, cluster: Cluster): Promise<PlannedWorkload> {
  try {
    return { ...planned, changes: await rehearse(cluster, planned.changes) }
  } catch (error) {
    if (!hasCode(error, ...WORKLOAD_ERRORS)) throw error
    return { ...planned, skip: { code: error.code, reason: error.message }, changes: [] }
  }
}
