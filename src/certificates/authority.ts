/** The certificate authority (CA) of one domain, and the leaves that it signs. Time, randomness and keys are arguments. */
import { createPublicKey, X509Certificate } from 'node:crypto'
import { requireNarrow } from './names.ts'
import { type Extension, keyIdentifier, nameConstraints, serialNumber, signCertificate } from './x509.ts'

/** PEM: a certificate and its PKCS#8 private key. */
export interface KeyPair {
  certificate: string
  key: string
}

export interface Authority extends KeyPair {
  domain: string
  /** During a rotation: the CA that signs next, once clients trust it. */
  next?: KeyPair
}

/** PEM of the CA certificates that clients have to trust: during a rotation the current and the next one. */
export function trustBundle({ certificate, next }: Pick<Authority, 'certificate' | 'next'>): string {
  return next === undefined ? certificate : certificate + next.certificate
}

/** Time, randomness and keys for new certificates. */
export interface IssuanceInputs {
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
/** Milliseconds by which a certificate begins in the past, because clocks of clients may be slow. */
const BACKDATE = 60 * 60 * 1000
/** A leaf with fewer days left is replaced. */
const RENEW_DAYS = 30
/** Bits of an RSA key. */
const SHORTEST_KEY = 2048
const ORGANIZATION = 'kubectl telemetry'

/** Makes a CA that can only sign certificates for hosts below `domain`. @throws UserError DOMAIN_TOO_WIDE (exit 2) */
export async function createAuthority(
  domain: string,
  { now, random, generateKey }: IssuanceInputs,
): Promise<Authority> {
  requireNarrow(domain)
  const key = await generateKey()
  const serial = serialNumber(random(16))
  // The serial makes names unique: two CAs with one name and different keys confuse clients that trust both.
  const name = { organization: ORGANIZATION, commonName: `kubectl telemetry CA ${serial.slice(0, 8)}` }
  const extensions: Extension[] = [
    { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint: 0 },
    { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
    // Not for e-mail and code, for which stores of a system would trust it too.
    { name: 'extKeyUsage', serverAuth: true },
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

/** Makes a server certificate for exactly these hosts. It has no wildcard: browsers would send other hosts over the same connection. */
export async function issueLeaf(
  authority: Authority,
  hosts: readonly string[],
  { now, random, generateKey }: IssuanceInputs,
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
    // A leaf that outlives its CA would become invalid before its own end.
    notAfter: new Date(Math.min(now.getTime() + LEAF_DAYS * DAY, notAfter(authority.certificate))),
    extensions,
    signingKey: authority.key,
  })
  return { certificate, key }
}

/**
 * Why a leaf has to be replaced. `undefined` if it belongs to its key, this CA signed it, it names exactly these hosts, and it has more
 * than 30 days left.
 */
export function whyReissue(leaf: KeyPair, authority: KeyPair, hosts: readonly string[], now: Date): string | undefined {
  const certificate = readCertificate(leaf.certificate)
  const issuer = readCertificate(authority.certificate)
  if (certificate === undefined || issuer === undefined) return 'it cannot be read'
  if (!isPair(leaf)) return 'its key does not belong to it'
  if ((keyBits(leaf.certificate) ?? SHORTEST_KEY) < SHORTEST_KEY) return 'its key is too short'
  if (!isIssuedBy(certificate, issuer)) return 'another CA signed it'
  if ([...hosts].sort().join() !== dnsNamesOf(certificate).sort().join()) return 'its hosts differ'
  const left = daysLeft(leaf.certificate, now)
  // In the last month of a CA a new leaf would not be valid for longer.
  if (left < RENEW_DAYS && left < daysLeft(authority.certificate, now)) return `it has ${left} days left`
  return undefined
}

/** Whether this CA signed the leaf, and not another CA with the same name. */
export function isSignedBy(leaf: Pick<KeyPair, 'certificate'>, authority: Pick<KeyPair, 'certificate'>): boolean {
  const [certificate, issuer] = [leaf, authority].map((one) => readCertificate(one.certificate))
  return certificate !== undefined && issuer !== undefined && isIssuedBy(certificate, issuer)
}

/** Compares names first, because verifying a signature is slower. A key of an unknown kind has signed nothing. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  } catch {
    return false
  }
}

/** Whether the key belongs to the certificate. */
export function isPair({ certificate, key }: KeyPair): boolean {
  try {
    return readCertificate(certificate)?.publicKey.equals(createPublicKey(key)) ?? false
  } catch {
    return false
  }
}

/** Whole days until the certificate (PEM) expires; negative afterwards, and for other texts. */
export function daysLeft(certificate: string, now: Date): number {
  const read = readCertificate(certificate)
  return read === undefined ? -1 : Math.floor((read.validToDate.getTime() - now.getTime()) / DAY)
}

/**
 * Bits of the RSA key of a certificate (PEM); `undefined` for other keys and other texts. Not by `asymmetricKeyDetails`: after a key of more
 * than 16,384 bits Node's next call of `createPublicKey` fails (seen with 24.21).
 */
export function keyBits(certificate: string): number | undefined {
  try {
    const read = readCertificate(certificate)
    const isRsa = read?.publicKey.asymmetricKeyType?.startsWith('rsa') ?? false
    return isRsa ? (read?.toLegacyObject() as { bits?: number }).bits : undefined
  } catch {
    return undefined
  }
}

/** The DNS names of a certificate. */
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

/** Characters of a certificate in PEM. Real ones have 1,000 to 10,000; anybody may put anything into a Secret. */
const LONGEST_CERTIFICATE = 65_536

/** Reads the first certificate of a text. @returns `undefined` if there is none with dates, or if it is too long */
export function readCertificate(pem: string): X509Certificate | undefined {
  try {
    const begin = Math.max(pem.indexOf('-----BEGIN '), 0)
    const certificate = new X509Certificate(pem.slice(begin, begin + LONGEST_CERTIFICATE))
    // Where a time is none, the text says so; Node's Date may then be any (seen).
    const times = [certificate.validFrom, certificate.validTo]
    return times.some((time) => Number.isNaN(Date.parse(time))) ? undefined : certificate
  } catch {
    return undefined
  }
}

function publicKeyOf(key: string): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()
}
