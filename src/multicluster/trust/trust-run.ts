/** What every command that changes the trust of clusters does with its plan: rehearse, ask, carry it out. */
import type { SigningFiles } from '../../certificates/mesh-authority.ts'
import { applyChanges, type Change, type Comparison, lineOf, outcomeOf, rehearse } from '../../changes/changes.ts'
import { confirm, counted } from '../../changes/confirmation.ts'
import { Progress } from '../../changes/progress.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { istiodNotFound } from '../../cluster/reading.ts'
import { DEPLOYMENTS, NAMESPACES } from '../../cluster/resources.ts'
import { type Finding, notes, warns } from '../../findings.ts'
import { sh } from '../../shell.ts'
import { workloadNames } from '../../workloads/workload-names.ts'
import type { WorkloadObject } from '../../workloads/workload-object.ts'
import type { AskInside, Dependencies, ReadServedChain } from '../../world.ts'
import { type ClusterObject, ClusterProgress, comparisonIn, inCluster, type Member } from '../members.ts'
import { findMesh, type Mesh, meshToBe } from '../mesh.ts'
import type { ProxyTrust } from './proxies.ts'
import { readTrust } from './read.ts'
import { findRestarts, planRestart } from './restarts.ts'
import { planCacerts, type Site } from './steps.ts'
import type { KnownTrust } from './target.ts'
import type { Open } from './walk.ts'

export type TrustWorld = Omit<Dependencies, 'cluster'> & {
  members: readonly Member[]
  askInside: AskInside
  readServedChain: ReadServedChain
}

export interface TrustRequest {
  readonly renew: 'restart' | 'wait'
  readonly acceptUnknown: boolean
  /** Milliseconds for each wait. */
  readonly timeout: number
  readonly yes: boolean
  readonly dryRun: 'none' | 'client' | 'server'
}

/** A cluster, and what was read there. */
export interface ClusterReading extends KnownTrust {
  readonly member: Member
}

/** @throws UserError ISTIO_NOT_FOUND, FORBIDDEN, CLUSTER_UNREACHABLE, each with the name of the cluster */
export function readClusters(world: TrustWorld): Promise<ClusterReading[]> {
  return Promise.all(
    world.members.map((member) =>
      inCluster(member, async () => {
        const { cluster } = member
        const mesh = await findMesh(cluster)
        if (mesh === undefined) throw istiodNotFound(cluster, withoutIstio(cluster))
        return readCluster(member, mesh, world)
      }),
    ),
  )
}

function withoutIstio({ context }: Cluster): string[] {
  return [
    sh`istioctl install --context ${context}`,
    'kubectl telemetry multicluster connect --certificates-only   # before that, if no cluster of the run has a root of its own: then nothing restarts later',
  ]
}

/** As `readClusters`; a cluster without Istio is read as the mesh that it will be. */
export async function readAnyClusters(world: TrustWorld): Promise<ClusterReading[]> {
  const { members } = world
  const meshes = await Promise.all(members.map((member) => inCluster(member, () => findMesh(member.cluster))))
  const [installed] = meshes.filter((mesh) => mesh !== undefined)
  return Promise.all(
    members.map((member, index) =>
      inCluster(member, () => readCluster(member, meshes[index] ?? meshToBe(installed?.trustDomain), world)),
    ),
  )
}

async function readCluster(member: Member, mesh: Mesh, world: TrustWorld): Promise<ClusterReading> {
  const { name, cluster } = member
  return { name, member, mesh, reading: await readTrust(mesh, { ...world, cluster }) }
}

export function siteOf(
  { member, mesh }: Pick<ClusterReading, 'member' | 'mesh'>,
  { timeout }: Pick<TrustRequest, 'timeout'>,
  progress: Progress,
  world: TrustWorld,
): Site {
  const { cluster, name } = member
  const tell = (line: string) => world.terminal.note(`${name}: ${line}`)
  const own = new ClusterProgress(member, progress)
  return { member, mesh, needs: { ...world, cluster }, progress: own, timeout, tell }
}

/** The changes of one cluster, in order. */
export interface ClusterChanges {
  readonly member: Member
  readonly list: readonly Change[]
}

/** Applies changes in their order. @throws UserError those of `applyChanges`, with the name of the cluster */
export async function applyIn({ member, list }: ClusterChanges, progress: Progress): Promise<void> {
  await inCluster(member, () => applyChanges(member.cluster, list, new ClusterProgress(member, progress)))
}

/** Restarts of every istiod and of the workloads of these proxies, as changes for the rehearsal and the question. */
export async function planRestarts(
  { member, mesh }: ClusterReading,
  proxies: readonly ProxyTrust[],
  { clock, istiods = true }: Pick<TrustWorld, 'clock'> & { istiods?: boolean },
): Promise<Change[]> {
  const when = clock.now().toISOString()
  const { workloads } = await findRestarts(proxies, member.cluster)
  const planes = mesh.istiods.map((istiod) => ({ resource: DEPLOYMENTS, object: istiod as WorkloadObject }))
  return [...(istiods ? planes : []), ...workloads].map((one) => planRestart(one, when))
}

/** The Secret `cacerts` with these files, as a change. @param root PEM of the root to which the cluster changes */
export function planSecret(
  { member: { cluster }, mesh }: ClusterReading,
  files: SigningFiles,
  root: string,
  world: TrustWorld,
): Promise<Change> {
  return planCacerts({ mesh, needs: { ...world, cluster } }, files, root)
}

export interface TrustRun {
  readonly changes: readonly ClusterChanges[]
  readonly question: string
  /** The command that undoes it, for errors in the middle. */
  readonly undo: string
  /** Whether CAs were made for the plan, which a dry run loses. */
  readonly makes: boolean
  /** @returns what is left to wait for */
  carryOut(progress: Progress): Promise<Open[]>
}

/** How a run ended. `waiting`: what is open has to be waited for. */
export interface TrustEnd {
  readonly outcome: 'planned' | 'declined' | 'applied' | 'waiting'
  readonly problems: readonly Finding[]
  /** As the API servers would make them, but for a dry run of the client. */
  readonly changes: readonly ClusterChanges[]
}

/** Whether anything may have been written, so that what was read before is out of date. */
export function hasWritten(outcome: TrustEnd['outcome']): boolean {
  return outcome === 'applied' || outcome === 'waiting'
}

/** @throws UserError CONSENT_REQUIRED, and the errors of the phases */
export async function runTrust(
  { changes: planned, question, undo, makes, carryOut }: TrustRun,
  request: TrustRequest,
  { terminal }: Pick<TrustWorld, 'terminal'>,
): Promise<TrustEnd> {
  const chosen = planned.map(({ member, list }) => ({ member, list: list.filter((one) => !waits(one, request)) }))
  const lost = makes ? [NOT_KEPT] : []
  if (request.dryRun === 'client') return { outcome: 'planned', problems: lost, changes: chosen }
  const changes = await Promise.all(chosen.map((one) => inCluster(one.member, () => rehearsed(one))))
  if (request.dryRun === 'server') return { outcome: 'planned', problems: lost, changes }
  const open = changes.map(({ member, list }) => ({
    member,
    list: list.filter(({ action }) => action !== 'unchanged'),
  }))
  const all = open.flatMap(({ list }) => list)
  const restarts = all.filter(({ restarts }) => restarts)
  const lines = open.flatMap(({ member, list }) => list.map((one) => `${member.name}: ${lineFor(one)}`))
  const among = restarts.length === 0 ? '' : `, ${counted(restarts.length, 'restart')} among them`
  const effect = `change ${counted(all.length, 'object')} in ${counted(changes.length, 'cluster')}${among}`
  const remarks =
    restarts.length === 0 ? [] : ['In each cluster the workloads restart one after the other, gateways last.']
  const agreed =
    all.length === 0 ||
    (await confirm({ yes: request.yes, effect, remarks, lines, question, preview: 'server' }, terminal))
  if (!agreed) return { outcome: 'declined', problems: [], changes }
  const progress = new Progress()
  const left = await progress.reportOnError(() => carryOut(progress), [undo])
  return { outcome: left.length === 0 ? 'applied' : 'waiting', problems: waitingFor(left), changes }
}

const NOT_KEPT = notes(
  'MESH_CA_NOT_KEPT',
  'the CAs of this dry run are not kept: the command itself makes others, with other fingerprints',
)

/**
 * Only for fields in an object of others the API server knows better what happens: ours may be written in several phases. What is in a
 * namespace that is yet to be created cannot be tried.
 */
async function rehearsed({ member, list }: ClusterChanges): Promise<ClusterChanges> {
  const created = list.filter(({ resource, action }) => resource === NAMESPACES && action === 'created')
  const isInside = ({ manifest: { metadata } }: Change) =>
    created.some(({ manifest }) => manifest.metadata.name === metadata.namespace)
  const after = await rehearse(
    member.cluster,
    list.filter((one) => !isInside(one)),
  )
  const merged = list.map((one) => {
    if (isInside(one)) return one
    const tried = after.find(({ manifest }) => manifest === one.manifest) ?? one
    return { ...tried, action: (one.by === 'sharing' ? tried : one).action }
  })
  return { member, list: merged }
}

/** With `--renew wait` only istiod restarts. */
function waits({ restarts, present }: Change, { renew }: TrustRequest): boolean {
  return restarts && renew === 'wait' && present?.metadata.labels?.app !== 'istiod'
}

function lineFor(change: Change): string {
  const { restarts, resource, manifest } = change
  return restarts ? `${workloadNames({ resource, object: manifest }).title}: restart` : lineOf(change)
}

export function objectsOf(changes: readonly ClusterChanges[]): ClusterObject[] {
  return changes.flatMap(({ member, list }) => list.map((one) => ({ cluster: member.name, ...outcomeOf(one) })))
}

/** For `--diff`. */
export function comparisonsOf(changes: readonly ClusterChanges[]): Comparison[] {
  return changes.flatMap(({ member, list }) => list.map((one) => comparisonIn(member, one)))
}

/** For `--renew wait`. */
function waitingFor(open: readonly Open[]): Finding[] {
  return open.map(({ member, total, left }) =>
    warns(
      'TRUST_RENEWS',
      `cluster ${member.name}: ${left.length} of ${total} proxies have not renewed their certificates yet, which takes up to a day`,
      'run the same command again later   # it continues',
      '--renew restart   # restarts the workloads now',
    ),
  )
}
