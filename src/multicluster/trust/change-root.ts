/** The run that brings clusters to one root: for `connect`, and for `rotate --ca`. */
import { applyChanges, type Change } from '../../changes/changes.ts'
import { ClusterProgress, inCluster } from '../members.ts'
import { type TrustPlan, targetOf, unionOf, unknownElsewhere } from './connect-trust.ts'
import { lacks } from './phases.ts'
import { signingFor, type TrustChoice } from './target.ts'
import {
  type ClusterChanges,
  type ClusterReading,
  planRestarts,
  planSecret,
  siteOf,
  type TrustRequest,
  type TrustRun,
  type TrustWorld,
} from './trust-run.ts'
import { bothRoots, newSigner, type Open, renewed, type Traveller, type Way } from './walk.ts'

export interface RootChange {
  readonly all: readonly ClusterReading[]
  readonly trust: TrustPlan
  readonly choice: TrustChoice
  /** What is written before trust changes, by the name of a cluster. */
  readonly first: ReadonlyMap<string, readonly Change[]>
  readonly question: string
}

export async function changeRoot(change: RootChange, request: TrustRequest, world: TrustWorld): Promise<TrustRun> {
  const { all, trust, choice, first, question } = change
  const changes = await Promise.all(all.map((one) => inCluster(one, () => changesOf(one, change, world))))
  return {
    changes,
    question,
    undo: 'kubectl telemetry multicluster cleanup --trust   # to undo it',
    carryOut: async (progress) => {
      for (const { name, member } of all) {
        const own = new ClusterProgress(member, progress)
        await inCluster(member, () => applyChanges(member.cluster, first.get(name) ?? [], own))
      }
      if (trust.kind === 'shared') return []
      const target = await targetOf(trust, world)
      const site = (one: ClusterReading) => siteOf(one, request, progress, world)
      const travellers = all
        .filter(({ name }) => trust.changing.includes(name))
        .map(
          (one): Traveller => ({
            ...site(one),
            reading: one.reading,
            union: unionOf(one, all, trust.changing, target.root),
            next: () => signingFor(one, { target, machine: trust.machine }, choice, world),
          }),
        )
      const way = { ...request, root: target.root, travellers, sites: all.map(site) }
      return walk(way, unknownElsewhere(all, trust.changing))
    },
  }
}

/** @param strangers clusters whose former certificates another cluster does not trust */
async function walk(way: Way, strangers: readonly string[]): Promise<Open[]> {
  const open = await bothRoots(way)
  if (open.length > 0) return open
  await newSigner(way)
  return renewed(
    way,
    way.travellers.filter(({ member }) => strangers.includes(member.name)),
  )
}

/** What is written, as far as it is known before: the root may not be made yet. */
async function changesOf(
  one: ClusterReading,
  { all, trust: { changing, root }, first }: RootChange,
  world: TrustWorld,
): Promise<ClusterChanges> {
  const { name, member, reading } = one
  const { files } = reading.signer
  const before = first.get(name) ?? []
  if (!changing.includes(name) || files === undefined) return { member, list: before }
  const lacking = root === undefined ? () => true : lacks(unionOf(one, all, changing, root))
  const restarts = await planRestarts(one, reading.proxies.filter(lacking), world)
  const planned = await planSecret(one, files, root ?? files.roots[0] ?? '', world)
  // A root that is yet to be made is not in it, so that it looks unchanged.
  const secret = { ...planned, action: planned.present === undefined ? ('created' as const) : ('configured' as const) }
  return { member, list: [...before, secret, ...restarts] }
}
