/** The run that brings clusters to one root: for `connect`, and for `rotate --ca`. */
import type { SigningFiles } from '../../certificates/mesh-authority.ts'
import type { Change } from '../../changes/changes.ts'
import { inCluster } from '../members.ts'
import { type TrustPlan, unionOf, unknownElsewhere } from './connect-trust.ts'
import { isSameList } from './fingerprints.ts'
import { isSignedElsewhere, lacks } from './phases.ts'
import { keepRoot, requireKey, signingFor, type TrustChoice } from './target.ts'
import {
  applyIn,
  type ClusterChanges,
  type ClusterReading,
  planRestarts,
  planSecret,
  siteOf,
  type TrustRequest,
  type TrustRun,
  type TrustWorld,
} from './trust-run.ts'
import { bothRoots, isReadBy, newSigner, type Open, renewed, type Traveller, type Way } from './walk.ts'

export interface RootChange {
  readonly all: readonly ClusterReading[]
  readonly trust: TrustPlan
  readonly choice: TrustChoice
  /** What is written before trust changes, by the name of a cluster. */
  readonly first: ReadonlyMap<string, readonly Change[]>
  readonly question: string
}

/** A change of root, and the CAs of clusters: each is made once, when it is needed first. */
interface Signing extends RootChange {
  signerOf(one: ClusterReading): Promise<Pick<SigningFiles, 'signer' | 'chain'>>
}

/** @throws UserError MESH_ROOT_ELSEWHERE */
export async function changeRoot(change: RootChange, request: TrustRequest, world: TrustWorld): Promise<TrustRun> {
  const { all, trust, choice, first, question } = change
  const { root, key, machine } = trust
  for (const name of trust.changing) requireKey(trust, { name, machine }, choice)
  const made = new Map<string, ReturnType<Signing['signerOf']>>()
  const signerOf = (one: ClusterReading) => {
    const signer = made.get(one.name) ?? signingFor(one, { target: trust, machine }, choice, world)
    made.set(one.name, signer)
    return signer
  }
  const signing = { ...change, signerOf }
  const changes = await Promise.all(all.map((one) => inCluster(one, () => changesOf(one, signing, world))))
  return {
    changes,
    makes: trust.isNew || made.size > 0,
    question,
    undo: 'kubectl telemetry multicluster cleanup --trust   # to undo it',
    carryOut: async (progress) => {
      if (trust.isNew && key !== undefined) await keepRoot({ root, key }, world.meshRoots)
      for (const { name, member } of all) await applyIn({ member, list: first.get(name) ?? [] }, progress)
      if (trust.kind === 'shared') return []
      const site = (one: ClusterReading) => siteOf(one, request, progress, world)
      const travellers = all
        .filter(({ name }) => trust.changing.includes(name))
        .map(
          (one): Traveller => ({
            ...site(one),
            reading: one.reading,
            union: unionOf(one, all, trust.changing, root),
            next: () => signerOf(one),
          }),
        )
      const way = { ...request, root, travellers, sites: all.map(site) }
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

/** What is written: `cacerts` as the next phase has it, and each object that restarts in any phase. */
async function changesOf(one: ClusterReading, change: Signing, world: TrustWorld): Promise<ClusterChanges> {
  const { all, first, trust, signerOf } = change
  const { changing, root } = trust
  const { name, member, reading } = one
  const { files } = reading.signer
  const before = first.get(name) ?? []
  if (!changing.includes(name) || files === undefined) return { member, list: before }
  const union = unionOf(one, all, changing, root)
  const isWritten = reading.secrets.plugged !== undefined && isSameList(files.roots, union)
  const isRead = isWritten && isReadBy(reading, union)
  const lacking = reading.proxies.filter(lacks(union))
  const isStranger = unknownElsewhere(all, changing).includes(name)
  const restarting = isStranger
    ? reading.proxies.filter((proxy) => lacking.includes(proxy) || isSignedElsewhere(root)(proxy))
    : lacking
  const next = isRead && lacking.length === 0 ? await signerOf(one) : files
  const planned = await planSecret(one, { ...next, roots: union }, root, world)
  // It is written once more, when the next phase is over.
  const secret = { ...planned, action: planned.present === undefined ? ('created' as const) : ('configured' as const) }
  return { member, list: [...before, secret, ...(await planRestarts(one, restarting, { ...world, istiods: !isRead }))] }
}
