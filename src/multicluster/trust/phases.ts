/**
 * Pure: how far each cluster has come on the way to another root, and what it needs next. All of it follows from what the cluster shows, so a
 * run that was cut off at any place is continued by the same command (docs/decisions/0039).
 */
import { leadsTo } from '../../certificates/mesh-authority.ts'
import { distinctRoots, includesAll, isSameSet } from './fingerprints.ts'
import type { ProxyTrust } from './proxies.ts'
import type { TrustReading } from './read.ts'

/** `own-root`: nothing of the way has begun. `finished`: only the root of the mesh is trusted. */
export type Phase = 'own-root' | 'both-roots' | 'new-signer' | 'finished'

/** @param root PEM of the root to which the way leads */
export function phaseOf({ signer, published }: Pick<TrustReading, 'signer' | 'published'>, root: string): Phase {
  const written = signer.files?.roots ?? published[0]?.roots ?? []
  const isUnder = isUnderRoot(signer, root)
  if (isUnder && isSameSet(written, [root])) return 'finished'
  if (isUnder) return 'new-signer'
  return includesAll(written, [root]) ? 'both-roots' : 'own-root'
}

/** Whether the CA that signs is the root, or leads to it. */
export function isUnderRoot({ files }: TrustReading['signer'], root: string): boolean {
  return files !== undefined && leadsTo([files.signer.certificate, ...files.chain], [root])
}

/** The roots that a cluster trusts while it changes: its own in their order, those of the others that change, and the new one last. */
export function unionFor(own: readonly string[], others: readonly (readonly string[])[], root: string): string[] {
  return distinctRoots([...own, ...others.flat(), root])
}

/** Namespaces whose workloads are not given all of the roots. */
export function unpublished(published: TrustReading['published'], roots: readonly string[]): string[] {
  return published.filter((one) => !includesAll(one.roots, roots)).map(({ namespace }) => namespace)
}

/** Namespaces whose workloads are given other roots than exactly these. */
export function otherwisePublished(published: TrustReading['published'], roots: readonly string[]): string[] {
  return published.filter((one) => !isSameSet(one.roots, roots)).map(({ namespace }) => namespace)
}

export function isUnknown({ unknown }: ProxyTrust): boolean {
  return unknown !== undefined
}

/** Whether a proxy does not trust all of the roots. */
export function lacks(roots: readonly string[]): (proxy: ProxyTrust) => boolean {
  return (proxy) => !isUnknown(proxy) && !includesAll(proxy.roots, roots)
}

/** Whether another CA than one under the root signed the certificate of a proxy. */
export function isSignedElsewhere(root: string): (proxy: ProxyTrust) => boolean {
  return (proxy) => !isUnknown(proxy) && !leadsTo(proxy.chain, [root])
}

/** Whether a proxy trusts anything but these roots. */
export function trustsMore(roots: readonly string[]): (proxy: ProxyTrust) => boolean {
  return (proxy) => !isUnknown(proxy) && !includesAll(roots, proxy.roots)
}

/** Pods of istiod that do not serve a certificate of this CA, or under this root. */
export function notServing(served: TrustReading['served'], root: string): { pod: string; why: string }[] {
  return served.flatMap(({ pod, served: found }) => {
    if (found === undefined) return [{ pod, why: 'no permission to forward ports to it' }]
    if ('failed' in found) return [{ pod, why: found.failed }]
    return leadsTo(found.chain, [root]) ? [] : [{ pod, why: 'it still serves a certificate of the former CA' }]
  })
}
