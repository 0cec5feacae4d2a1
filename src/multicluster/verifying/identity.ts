/** Whether two proxies accept each other's certificates, and why not. Pure. */
import { readCertificate } from '../../certificates/authority.ts'
import { isTrusted } from '../../certificates/facts.ts'
import type { HeldCertificates } from './proxy-view.ts'

export type IdentityFault =
  /** The certificate does not lead to a root that the other side trusts. `issuer`: who signed it. */
  | { fault: 'root'; of: 'pod' | 'caller'; issuer: string }
  /** The pod is another one than the callers accept. */
  | { fault: 'identity'; has: readonly string[] }

/** @param now of the API server, as far as it is known */
export function identityFault(
  shown: string,
  {
    caller,
    pod,
    identities,
    now,
  }: {
    caller: HeldCertificates | undefined
    pod: HeldCertificates | undefined
    identities: readonly string[]
    now: Date
  },
): IdentityFault | undefined {
  if (caller !== undefined && !isTrusted(shown, [...caller.roots], now))
    return { fault: 'root', of: 'pod', issuer: issuerOf(shown) }
  const has = urisOf(shown)
  if (!has.some((one) => identities.includes(one))) return { fault: 'identity', has }
  if (caller !== undefined && caller.chain !== '' && pod !== undefined && !isTrusted(caller.chain, [...pod.roots], now))
    return { fault: 'root', of: 'caller', issuer: issuerOf(caller.chain) }
  return undefined
}

/** On one line. */
function issuerOf(chain: string): string {
  return readCertificate(chain)?.issuer.replaceAll('\n', ', ') || 'an issuer without a name'
}

/** SPIFFE ids of a certificate: the URIs of its subject alternative name. One with a character that needs quotes is none of Istio's. */
function urisOf(chain: string): string[] {
  const names = readCertificate(chain)?.subjectAltName?.split(', ') ?? []
  return names.filter((name) => name.startsWith('URI:')).map((name) => name.slice('URI:'.length))
}
