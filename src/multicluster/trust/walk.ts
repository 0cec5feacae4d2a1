/**
 * Changes the root of several clusters in phases (docs/decisions/0039). None begins in any cluster before the one before it is proven in all,
 * so a call across works at any time, and a run that is cut off leaves every cluster working.
 */
import type { SigningFiles } from '../../certificates/mesh-authority.ts'
import { counted } from '../../changes/confirmation.ts'
import { UserError } from '../../errors.ts'
import { until } from '../../time/until.ts'
import { inCluster, type Member } from '../members.ts'
import { isSameList, isSameSet } from './fingerprints.ts'
import { isSignedElsewhere, isUnknown, lacks, otherwisePublished, trustsMore, unpublished } from './phases.ts'
import type { ProxyTrust } from './proxies.ts'
import type { TrustReading } from './read.ts'
import { findRestarts } from './restarts.ts'
import {
  awaitPublished,
  awaitServed,
  proxiesNow,
  restartIstiods,
  restartWorkloads,
  type Site,
  writeCacerts,
} from './steps.ts'

/** A cluster that changes, and what was read there before. */
export interface Traveller extends Site {
  readonly reading: TrustReading
  /** What it trusts while it changes. */
  readonly union: readonly string[]
  /** With which CA it signs afterwards. */
  next(): Promise<Pick<SigningFiles, 'signer' | 'chain'>>
}

export interface Way {
  /** PEM of the root to which it leads. */
  readonly root: string
  /** Clusters whose istiod does not yet sign under the root. */
  readonly travellers: readonly Traveller[]
  /** All clusters of the run. */
  readonly sites: readonly Site[]
  /** `wait`: no workload is restarted; its proxies renew their certificates within a day. */
  readonly renew: 'restart' | 'wait'
  readonly acceptUnknown: boolean
}

/** What a proof found. */
export interface Open {
  readonly member: Member
  readonly total: number
  /** Proxies that still lack it. */
  readonly left: readonly ProxyTrust[]
}

/** Both roots are trusted everywhere; the former CA still signs. @returns what is left to wait for; nothing where it is proven */
export async function bothRoots(way: Way): Promise<Open[]> {
  await inEach(way.travellers, async (site) => {
    const { reading, union } = site
    const { files } = reading.signer
    if (files === undefined) throw noSigner(site)
    const isWritten = reading.secrets.plugged !== undefined && isSameList(files.roots, union)
    if (!isWritten) await writeCacerts(site, { ...files, roots: union }, way.root)
    if (!isWritten || !isReadBy(reading, union)) await restartIstiods(site)
    await awaitPublished(site, union, 'at least')
    site.tell('the ConfigMap istio-ca-root-cert has both roots')
  })
  const wanted = new Map(way.travellers.map(({ member, union }) => [member.name, union]))
  const what = way.travellers.length === 0 ? 'trust the root of the mesh' : 'trust both roots'
  return settleAll(way, (site) => lacks(wanted.get(site.member.name) ?? [way.root]), what)
}

/** Whether istiod was started with these roots, in this order: what it gives to its own namespace is what it has in memory. */
export function isReadBy({ published }: TrustReading, roots: readonly string[]): boolean {
  return isSameList(published[0]?.roots ?? [], roots) && unpublished(published, roots).length === 0
}

/** Every istiod signs under the new root. It needs no restart. */
export async function newSigner(way: Way): Promise<void> {
  const changing = way.travellers.map(({ member }) => member.name)
  await inEach(way.travellers, async (site) => {
    const files = await site.next()
    await writeCacerts(site, { ...files, roots: site.union }, way.root)
    await awaitServed(site, files.signer.certificate)
    site.tell('istiod signs with the new CA')
  })
  // One that changed before may have been cut off before it was proven.
  const others = way.sites.filter(({ member }) => !changing.includes(member.name))
  await inEach(others, (site) => awaitServed(site, way.root))
}

/** Every proxy has a certificate of the new CA. */
export function renewed(way: Way, sites: readonly Site[] = way.sites): Promise<Open[]> {
  return settleAll({ ...way, sites }, () => isSignedElsewhere(way.root), 'have a certificate of the new CA')
}

/** Only the root of the mesh is trusted. @param own what each cluster signs with now */
export async function onlyTheRoot(way: Way, own: ReadonlyMap<string, TrustReading>): Promise<Open[]> {
  await inEach(way.sites, async (site) => {
    const reading = own.get(site.member.name)
    const files = reading?.signer.files
    if (reading === undefined || files === undefined || reading.signer.kind !== 'ours') return
    const isWritten = isSameSet(files.roots, [way.root])
    if (!isWritten) await writeCacerts(site, { ...files, roots: [way.root] }, way.root)
    if (!isWritten || otherwisePublished(reading.published, [way.root]).length > 0) await restartIstiods(site)
    await awaitPublished(site, [way.root], 'exactly')
    site.tell('the ConfigMap istio-ca-root-cert has only the root of the mesh')
  })
  return settleAll(way, () => trustsMore([way.root]), 'trust only the root of the mesh')
}

/** How often proxies are read again after restarts: pods may have been created while the roots changed. */
const ROUNDS = 3

/** @returns the clusters with proxies that are left, with `renew: wait` only. @throws UserError TRUST_INCOMPLETE, TRUST_UNKNOWN */
export async function settleAll(
  way: Pick<Way, 'sites' | 'renew' | 'acceptUnknown'>,
  isBad: (site: Site) => (proxy: ProxyTrust) => boolean,
  what: string,
): Promise<Open[]> {
  const open = await inEach(way.sites, (site) => settle(site, isBad(site), way, what))
  return open.filter(({ left }) => left.length > 0)
}

async function settle(
  site: Site,
  isBad: (proxy: ProxyTrust) => boolean,
  { renew, acceptUnknown }: Pick<Way, 'renew' | 'acceptUnknown'>,
  what: string,
): Promise<Open> {
  for (let round = 0; ; round++) {
    const proxies = await knownProxies(site)
    const unknown = proxies.filter(isUnknown)
    const left = proxies.filter(isBad)
    if (left.length === 0 || renew === 'wait' || round === ROUNDS) {
      if (unknown.length > 0 && !acceptUnknown) throw unknownProxies(site, unknown)
      if (left.length > 0 && renew === 'restart') throw await incomplete(site, left, what)
      site.tell(`${proxies.length - unknown.length - left.length} of ${proxies.length} proxies ${what}`)
      return { member: site.member, total: proxies.length, left }
    }
    await restartWorkloads(site, left)
  }
}

/** Milliseconds that a new pod may take until its proxy answers. */
const START = 20_000

/** A proxy that has just been started is unknown for a moment. */
function knownProxies(site: Site): Promise<ProxyTrust[]> {
  return until(
    {
      look: () => proxiesNow(site),
      isDone: (proxies) => !proxies.some(isUnknown),
      pause: 1_000,
      timeout: START,
    },
    site.needs.clock,
  )
}

/** All clusters at the same time. The first error is thrown when all have ended, so that none is left in the middle of a step. */
export async function inEach<S extends Site, T>(sites: readonly S[], work: (site: S) => Promise<T>): Promise<T[]> {
  const results = await Promise.allSettled(sites.map((site) => inCluster(site.member, () => work(site))))
  return results.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
}

function noSigner({ member }: Site): UserError {
  return new UserError('SIGNER_UNREADABLE', `the CA with which istiod of cluster ${member.name} signs cannot be read`, {
    suggestions: ['kubectl -n istio-system get secrets cacerts istio-ca-secret'],
  })
}

const SHOWN = 5

function unknownProxies({ member }: Site, proxies: readonly ProxyTrust[]): UserError {
  const names = proxies
    .slice(0, SHOWN)
    .map(({ pod: { metadata }, unknown }) => `${metadata.namespace}/${metadata.name} (${unknown})`)
  const message = `cluster ${member.name}: which roots ${counted(proxies.length, 'pod')} trust is not known: ${names.join(', ')}`
  return new UserError('TRUST_UNKNOWN', message, {
    suggestions: ['--accept-unknown   # goes on: these pods may lose their connections until they restart'],
  })
}

async function incomplete(site: Site, left: readonly ProxyTrust[], what: string): Promise<UserError> {
  const { manual } = await findRestarts(left, site.needs.cluster)
  const named = manual.slice(0, SHOWN).map(({ pod, why }) => `${pod} (${why})`)
  const rest = left.slice(0, SHOWN).map(({ pod: { metadata } }) => `${metadata.namespace}/${metadata.name}`)
  const which = named.length > 0 ? named : rest
  const message = `cluster ${site.member.name}: the proxies of ${counted(left.length, 'pod')} do not ${what}: ${which.join(', ')}`
  return new UserError('TRUST_INCOMPLETE', message, {
    suggestions: [
      'restart these pods, then run the command again',
      '--renew wait   # their certificates are renewed within a day',
    ],
  })
}
