/** Sets of certificates, compared by their SHA-256. Pure. */
import { readCertificate } from '../../certificates/authority.ts'

/** In hexadecimal with colons; `undefined` for what is no certificate. */
export function fingerprintOf(pem: string): string | undefined {
  return readCertificate(pem)?.fingerprint256
}

/**
 * Each certificate once, where it is first. The order matters: istiod compares the text of `root-cert.pem`, and refuses the same roots in
 * another order as other roots.
 */
export function distinctRoots(pems: readonly string[]): string[] {
  const known = new Set<string>()
  return pems.filter((pem) => {
    const fingerprint = fingerprintOf(pem)
    if (fingerprint === undefined || known.has(fingerprint)) return false
    known.add(fingerprint)
    return true
  })
}

/** Whether the first set has all of the second. */
export function includesAll(roots: readonly string[], wanted: readonly string[]): boolean {
  const known = new Set(roots.map(fingerprintOf))
  return wanted.every((one) => known.has(fingerprintOf(one)))
}

/** Whether both have the same certificates in the same order. */
export function isSameList(one: readonly string[], other: readonly string[]): boolean {
  return (
    one.length === other.length && one.every((pem, index) => fingerprintOf(pem) === fingerprintOf(other[index] ?? ''))
  )
}

export function isSameSet(one: readonly string[], other: readonly string[]): boolean {
  return includesAll(one, other) && includesAll(other, one)
}
