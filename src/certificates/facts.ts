/** What a certificate says, and whether somebody's roots vouch for it: pure, read by node:crypto. */
import type { X509Certificate } from 'node:crypto'
import { DAY, dnsNamesOf, isIssuedBy, readCertificate } from './authority.ts'

export interface CertificateFacts {
  /** The DNS names it is for. */
  hosts: string[]
  /** The issuer's name on one line: `O=kubectl telemetry, CN=kubectl telemetry authority 4a6b0c1d`. */
  issuer: string
  /** ISO 8601. */
  notAfter: string
  /** Whole days until it expires; negative afterwards. */
  daysLeft: number
  /** SHA-256 in hexadecimal with colons, as openssl and browsers show it. */
  fingerprint: string
}

/** The facts of a certificate (PEM; of a chain its first one); `undefined` for what is no certificate. */
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

/** The certificates in a PEM text, each for itself. */
export function certificatesIn(pem: string): string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => `${block}\n`)
}

/** More certificates than that between a leaf and its root nobody has. */
const LONGEST_CHAIN = 8

/**
 * Whether a chain leads to one of these roots, by signatures and dates. Name constraints and purposes are left to clients.
 * @param chain PEM: the leaf, then whatever else may be needed
 * @param roots PEM, one certificate each
 */
export function isTrusted(chain: string, roots: string[], now: Date): boolean {
  const [leaf, ...others] = certificatesIn(chain).map(readCertificate)
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
