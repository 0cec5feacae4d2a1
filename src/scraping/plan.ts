/** What is changed for each workload: chosen and planned (pure, but for lists that are read once), then rehearsed one by one. */
import { type Change, planChanges, rehearse } from '../changes/changes.ts'
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
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
import { UserError } from '../errors.ts'
import type { Candidate } from './find.ts'
import { chooseMethod, unready } from './methods/choose.ts'
import type { Scene, Wishes } from './methods/planner.ts'
import { PLANNERS } from './methods/planners.ts'
import type { ScrapeSurvey } from './survey.ts'
import type { Method, Skip, Workload } from './workload.ts'

/** A workload that was meant, and what becomes of it. */
export interface PlannedWorkload {
  candidate: Candidate
  method: Method | undefined
  /** Then there are no changes. */
  skip: Skip | undefined
  changes: Change[]
  scene: Scene
}

/** How many rehearsals are under way at a time. */
const AT_ONCE = 16
/** What is wrong with one workload alone. */
const ITS_OWN = new Set(['FORBIDDEN', 'FIELD_CONFLICT', 'REJECTED', 'CHANGED_ON_WRITE', 'NOT_OURS', 'NOT_FOUND'])

/** @throws UserError ISTIO_NOT_FOUND */
export async function planWorkloads(
  { candidates, pods, rootNamespace }: ScrapeSurvey,
  asked: 'auto' | Method,
  wishes: Wishes,
  cluster: Cluster,
): Promise<PlannedWorkload[]> {
  const istioVersion = await requireIstioVersion(cluster)
  const chosen = candidates.map((candidate) => chooseMethod(candidate, asked)).filter((one) => 'method' in one)
  const beside = await readBeside(chosen, wishes, istioVersion, rootNamespace, cluster)
  const here = {
    pods: byNamespace(pods),
    services: byNamespace(beside.services),
    others: byNamespace(beside.others),
  }
  const wide = beside.others.filter(
    ({ kind, metadata }) => MESH_WIDE.includes(kind) && metadata.namespace === rootNamespace,
  )
  return candidates.map((candidate) => {
    const { namespace = '' } = candidate.object.metadata
    const own = new Set(candidate.pods)
    const planned = planWorkload(candidate, asked, {
      ...{ wishes, istioVersion, rootNamespace, pods: candidate.pods },
      neighbours: (here.pods.get(namespace) ?? []).filter((pod) => !own.has(pod)),
      services: here.services.get(namespace) ?? [],
      others: [...(here.others.get(namespace) ?? []), ...(namespace === rootNamespace ? [] : wide)],
    })
    const skip = planned.skip ?? unready(candidate)
    return skip === undefined ? planned : { ...planned, skip, changes: [] }
  })
}

/** In the root namespace they are for all of the mesh. */
const MESH_WIDE = ['Sidecar', 'AuthorizationPolicy']

function byNamespace<T extends KubeObject>(objects: T[]): Map<string, T[]> {
  return Map.groupBy(objects, ({ metadata }) => metadata.namespace ?? '')
}

/** @param scene what was read beside it */
export function planWorkload(candidate: Candidate, asked: 'auto' | Method, scene: Scene): PlannedWorkload {
  const chosen = chooseMethod(candidate, asked)
  if ('skip' in chosen) return { candidate, method: undefined, skip: chosen.skip, changes: [], scene }
  const { workload, method } = chosen
  const planned = PLANNERS[workload.proxy][method](workload, scene)
  if ('skip' in planned) return { candidate, method, skip: planned.skip, changes: [], scene }
  const changes = planChanges(planned.writings, [workload.object, ...scene.others])
  return { candidate, method, skip: undefined, changes, scene }
}

/** What native ports do not need is not read for them. */
async function readBeside(
  chosen: { workload: Workload; method: Method }[],
  wishes: Wishes,
  istioVersion: string,
  rootNamespace: string,
  cluster: Cluster,
): Promise<Pick<Scene, 'services' | 'others'>> {
  const needy = chosen.filter(({ method }) => method === 'sidecar' || wishes.onlyPrometheus !== undefined)
  if (needy.length === 0) return { services: [], others: [] }
  const namespaces = [
    ...new Set([...needy.map(({ workload }) => workload.object.metadata.namespace ?? ''), rootNamespace]),
  ]
  const read = async <T extends KubeObject>(resource: Resource) => {
    const lists = await Promise.all(placesOf(namespaces).map((place) => cluster.list<T>(resource, place)))
    return lists.flat()
  }
  const kinds = [sidecars, peerAuthentications, authorizationPolicies, serviceEntries, gateways, virtualServices]
  const [services, ...others] = await Promise.all([
    read<Service>(SERVICES),
    ...[...kinds.map((kind) => kind(istioVersion)), NETWORK_POLICIES].map((kind) => read(kind)),
  ])
  return { services, others: others.flat() }
}

/** One list each of a few namespaces, or one of all. */
function placesOf(namespaces: string[]): { namespace?: string }[] {
  return namespaces.length > 3 ? [{}] : namespaces.map((namespace) => ({ namespace }))
}

/** Lets the API server try everything. What it refuses for one workload is the reason why that one is left out. */
export async function rehearseWorkloads(planned: PlannedWorkload[], cluster: Cluster): Promise<PlannedWorkload[]> {
  const rehearsed: PlannedWorkload[] = []
  for (let at = 0; at < planned.length; at += AT_ONCE)
    rehearsed.push(...(await Promise.all(planned.slice(at, at + AT_ONCE).map((one) => rehearseOne(one, cluster)))))
  return rehearsed
}

async function rehearseOne(planned: PlannedWorkload, cluster: Cluster): Promise<PlannedWorkload> {
  try {
    return { ...planned, changes: await rehearse(cluster, planned.changes) }
  } catch (error) {
    if (!(error instanceof UserError) || !ITS_OWN.has(error.code)) throw error
    return { ...planned, skip: { code: error.code, reason: error.message }, changes: [] }
  }
}
