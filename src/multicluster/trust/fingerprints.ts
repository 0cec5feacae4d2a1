/** Sets of certificates, compared by their SHA-256. Pure. */
import { readCertificate } from '../../certificates/authority.ts'

/** In hexadecimal with colons; `undefined` for what is no certificate. */
export function fingerprintOf(pem: string): string | undefined {
  return readCertificate(pem)?.fingerprint256
}

/** Each certificate once, in the order of its first place. */
export function distinctRoots(pems: readonly string[]): string[] {
  const known = new Map(
    pems
      .flatMap((pem) => ((found) => (found === undefined ? [] : [[found, pem] as const]))(fingerprintOf(pem)))
      .toReversed(),
  )
  return [...known.values()].toReversed()
}

/** Whether the first set has all of the second. */
export function includesAll(roots: readonly string[], wanted: readonly string[]): boolean {
  const known = new Set(roots.map(fingerprintOf))
  return wanted.every((one) => known.has(fingerprintOf(one)))
}

export function isSameSet(one: readonly string[], other: readonly string[]): boolean {
  return includesAll(one, other) && includesAll(other, one)
}
