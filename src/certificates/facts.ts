/** Pure: reads a certificate, and checks whether it is trusted. */
import type { X509Certificate } from 'node:crypto'
import { DAY, dnsNamesOf, isIssuedBy, readCertificate } from './authority.ts'

export interface CertificateFacts {
  /** DNS names of the certificate. */
  hosts: string[]
  /** Name of the issuer on one line: `O=kubectl telemetry, CN=kubectl telemetry CA 4a6b0c1d`. */
  issuer: string
  /** ISO 8601. */
  notAfter: string
  /** Whole days until it expires; negative afterwards. */
  daysLeft: number
  /** SHA-256 in hexadecimal with colons, as openssl and browsers show it. */
  fingerprint: string
}

/** Reads a certificate (PEM; the first one of a chain). @returns `undefined` for other texts */
export function factsOf(pem: string, now: Date): CertificateFacts | undefined {
  const certificate = readCertificate(pem)
  if (certificate === undefined) return undefined
  return {
    hosts: dnsNamesOf(certificate),
    issuer: certificate.issuer.replaceAll('\n', ', '),
    notAfter: certificate.validToDate.toISOString(),
    daysLeft: Math.floor((certificate.validToDate.getTime() - now.getTime()) / DAY),
    fingerprint: certificate.fingerprint256,
  }
}

/** Splits a PEM text into its certificates. */
export function certificatesIn(pem: string): string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => `${block}\n`)
}

/** Longest chain from leaf to root that is followed. */
const LONGEST_CHAIN = 8
/** Certificates that a Secret may have: more than any chain, and than the CAs of a rotation. */
export const MOST_CERTIFICATES = 32

/**
 * Whether a chain leads to one of these roots, judged by signatures and dates. Name constraints and purposes are not checked.
 * @param chain PEM: the leaf, then intermediate certificates
 * @param roots PEM, one certificate each
 */
export function isTrusted(chain: string, roots: string[], now: Date): boolean {
  const [leaf, ...others] = certificatesIn(chain).slice(0, MOST_CERTIFICATES).map(readCertificate)
  const anchors = roots.map(readCertificate)
  let current = leaf
  for (let length = 0; current !== undefined && length < LONGEST_CHAIN; length++) {
    const here: X509Certificate = current
    if (!isValidAt(here, now)) return false
    const isIssuer = (one: X509Certificate | undefined) => one !== undefined && isIssuedBy(here, one)
    const anchor = anchors.find((one) => one?.fingerprint256 === here.fingerprint256 || isIssuer(one))
    if (anchor !== undefined) return isValidAt(anchor, now)
    current = others.find((one) => one?.fingerprint256 !== here.fingerprint256 && isIssuer(one))
  }
  return false
}

function isValidAt({ validFromDate, validToDate }: X509Certificate, now: Date): boolean {
  return validFromDate <= now && now <= validToDate
}
