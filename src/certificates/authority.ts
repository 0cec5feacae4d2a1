/** The certificate authority of one domain and the leaves it signs. Time, randomness and keys come in as arguments. */
import { createPublicKey, X509Certificate } from 'node:crypto'
import { type Extension, keyIdentifier, nameConstraints, serialNumber, signCertificate } from './x509.ts'

/** PEM: a certificate and its PKCS#8 private key. */
export interface KeyPair {
  certificate: string
  key: string
}

export interface Authority extends KeyPair {
  domain: string
  /** Who will sign once clients trust it too: a rotation is under way. */
  next?: KeyPair
}

/** What clients are to trust: during a rotation the old and the new one. */
export function trustedWith({ certificate, next }: Pick<Authority, 'certificate' | 'next'>): string {
  return next === undefined ? certificate : certificate + next.certificate
}

/** What making certificates needs of the world. */
export interface Issuing {
  now: Date
  random(bytes: number): Uint8Array
  /** A new RSA private key, PKCS#8 PEM. @param bits 2048 when left out */
  generateKey(bits?: number): Promise<string>
}

/** Milliseconds. */
export const DAY = 24 * 60 * 60 * 1000
const AUTHORITY_DAYS = 10 * 365
/** Browsers refuse server certificates that are valid for more than 398 days (CA/Browser Forum BR 6.3.2). */
const LEAF_DAYS = 396
/** Clocks of clients lag; a certificate must be valid on arrival. */
const BACKDATE = 60 * 60 * 1000
/** A leaf with fewer days left is made anew. */
const RENEW_DAYS = 30
const ORGANIZATION = 'kubectl telemetry'

/** A new authority that can vouch for hosts below `domain` and for nothing else. */
export async function createAuthority(domain: string, { now, random, generateKey }: Issuing): Promise<Authority> {
  const key = await generateKey()
  const serial = serialNumber(random(16))
  // The serial makes names differ: two authorities of one name and several keys confuse clients that trust both.
  const name = { organization: ORGANIZATION, commonName: `kubectl telemetry authority ${serial.slice(0, 8)}` }
  const extensions: Extension[] = [
    { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint: 0 },
    { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
    { name: 'subjectKeyIdentifier' },
    nameConstraints(domain),
  ]
  const certificate = signCertificate({
    publicKey: publicKeyOf(key),
    subject: name,
    issuer: name,
    serial,
    notBefore: new Date(now.getTime() - BACKDATE),
    notAfter: new Date(now.getTime() + AUTHORITY_DAYS * DAY),
    extensions,
    signingKey: key,
  })
  return { domain, certificate, key }
}

/** A server certificate for exactly these hosts: no wildcard, so that no browser brings a neighbour's host onto our connection. */
export async function issueLeaf(
  authority: Authority,
  hosts: string[],
  { now, random, generateKey }: Issuing,
): Promise<KeyPair> {
  const key = await generateKey()
  const extensions: Extension[] = [
    { name: 'basicConstraints', critical: true, cA: false },
    { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: keyIdentifier(authority.certificate) },
    { name: 'subjectAltName', altNames: hosts.map((value) => ({ type: 2, value })) },
  ]
  const certificate = signCertificate({
    publicKey: publicKeyOf(key),
    subject: { organization: ORGANIZATION, commonName: 'telemetry add-ons' },
    issuer: authority.certificate,
    serial: serialNumber(random(16)),
    notBefore: new Date(now.getTime() - BACKDATE),
    // A leaf that outlives its authority would fail on a day that nobody expects.
    notAfter: new Date(Math.min(now.getTime() + LEAF_DAYS * DAY, notAfter(authority.certificate))),
    extensions,
    signingKey: authority.key,
  })
  return { certificate, key }
}

/**
 * Why a leaf can no longer serve, or `undefined` when it can go on: it is the key's, this authority signed it, it names exactly
 * these hosts, and has more than 30 days left.
 */
export function whyReissue(leaf: KeyPair, authority: KeyPair, hosts: string[], now: Date): string | undefined {
  const certificate = readCertificate(leaf.certificate)
  const issuer = readCertificate(authority.certificate)
  if (certificate === undefined || issuer === undefined) return 'it cannot be read'
  if (!isPair(leaf)) return 'its key is another'
  if (!isIssuedBy(certificate, issuer)) return 'another authority signed it'
  if ([...hosts].sort().join() !== dnsNamesOf(certificate).sort().join()) return 'it names other hosts'
  const left = daysLeft(leaf.certificate, now)
  // In an authority's last month a new leaf would last no longer than this one.
  if (left < RENEW_DAYS && left < daysLeft(authority.certificate, now)) return `it has ${left} days left`
  return undefined
}

/** Whether the authority, and no other of its name, signed the leaf. */
export function isSignedBy(leaf: Pick<KeyPair, 'certificate'>, authority: Pick<KeyPair, 'certificate'>): boolean {
  const [certificate, issuer] = [leaf, authority].map((one) => readCertificate(one.certificate))
  return certificate !== undefined && issuer !== undefined && isIssuedBy(certificate, issuer)
}

/** Names first: checking a signature takes longer. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

/** Whether the key is the certificate's. */
export function isPair({ certificate, key }: KeyPair): boolean {
  try {
    return readCertificate(certificate)?.publicKey.equals(createPublicKey(key)) ?? false
  } catch {
    return false
  }
}

/** Whole days until the certificate (PEM) expires; negative afterwards, and for what is no certificate. */
export function daysLeft(certificate: string, now: Date): number {
  const read = readCertificate(certificate)
  return read === undefined ? -1 : Math.floor((read.validToDate.getTime() - now.getTime()) / DAY)
}

/** How long the RSA key of a certificate (PEM) is; `undefined` for other keys, and for what is no certificate. */
export function keyBits(certificate: string): number | undefined {
  return readCertificate(certificate)?.publicKey.asymmetricKeyDetails?.modulusLength
}

/** The DNS names a certificate is for. */
export function dnsNamesOf(certificate: X509Certificate): string[] {
  return (certificate.subjectAltName ?? '')
    .split(', ')
    .filter((name) => name.startsWith('DNS:'))
    .map((name) => name.slice('DNS:'.length))
}

/** When the certificate (PEM) expires, in milliseconds since 1970. */
function notAfter(certificate: string): number {
  return new X509Certificate(certificate).validToDate.getTime()
}

/** `undefined` for what is no certificate. */
export function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

function publicKeyOf(key: string): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()
}
