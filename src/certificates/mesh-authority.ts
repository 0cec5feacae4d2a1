/** The root CA of a mesh of several clusters, and the intermediate CA with which the istiod of each cluster signs. */
import { createPublicKey, X509Certificate } from 'node:crypto'
import { DAY, type IssuanceInputs, isIssuedBy, isPair, type KeyPair, readCertificate } from './authority.ts'
import { type Extension, keyIdentifier, serialNumber, signCertificate } from './x509.ts'

const ROOT_DAYS = 10 * 365
const INTERMEDIATE_DAYS = 2 * 365
/** Istio's own tools/certs have the same length. */
const KEY_BITS = 4096
/** Milliseconds by which a certificate begins in the past, because clocks of clusters may be slow. */
const BACKDATE = 60 * 60 * 1000
const ORGANIZATION = 'kubectl telemetry'

/** Makes a root CA. Its key stays on this machine. */
export async function createMeshRoot({ now, random, generateKey }: IssuanceInputs): Promise<KeyPair> {
  const key = await generateKey(KEY_BITS)
  const serial = serialNumber(random(16))
  // Two roots of one name without key identifiers cannot be told apart by Envoy, so the name has the serial, too.
  const name = { organization: ORGANIZATION, commonName: `mesh root ${serial.slice(0, 8)}` }
  const certificate = signCertificate({
    publicKey: publicKeyOf(key),
    subject: name,
    issuer: name,
    serial,
    ...period(now, ROOT_DAYS),
    extensions: [
      { name: 'basicConstraints', critical: true, cA: true },
      { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
      { name: 'subjectKeyIdentifier' },
    ],
    signingKey: key,
  })
  return { certificate, key }
}

export interface IntermediateRequest {
  /** Short name of the cluster. */
  cluster: string
  /** Of istiod. */
  namespace: string
}

/** Makes the CA with which one istiod signs. It can sign no other CA. */
export async function issueIntermediate(
  root: KeyPair,
  { cluster, namespace }: IntermediateRequest,
  { now, random, generateKey }: IssuanceInputs,
): Promise<KeyPair> {
  const key = await generateKey(KEY_BITS)
  const serial = serialNumber(random(16))
  const extensions: Extension[] = [
    { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint: 0 },
    {
      name: 'keyUsage',
      critical: true,
      digitalSignature: true,
      keyEncipherment: true,
      keyCertSign: true,
      cRLSign: true,
    },
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: keyIdentifier(root.certificate) },
    { name: 'subjectAltName', altNames: [{ type: 2, value: `istiod.${namespace}.svc` }] },
  ]
  const end = new X509Certificate(root.certificate).validToDate
  const { notBefore, notAfter } = period(now, INTERMEDIATE_DAYS)
  const certificate = signCertificate({
    publicKey: publicKeyOf(key),
    subject: { organization: ORGANIZATION, commonName: `mesh CA ${serial.slice(0, 8)}`, locality: cluster },
    issuer: root.certificate,
    serial,
    notBefore,
    notAfter: notAfter < end ? notAfter : end,
    extensions,
    signingKey: root.key,
  })
  return { certificate, key }
}

function period(now: Date, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now.getTime() - BACKDATE), notAfter: new Date(now.getTime() + days * DAY) }
}

/** What istiod reads from its Secret `cacerts`, as PEM. */
export interface SigningFiles {
  /** `ca-cert.pem` and `ca-key.pem`: the CA that signs. */
  signer: KeyPair
  /** `cert-chain.pem`: from the signer to the last certificate before the root; empty where the signer is the root. */
  chain: readonly string[]
  /** `root-cert.pem`. */
  roots: readonly string[]
}

/**
 * Why istiod could not sign with these files. Read back with node:crypto, because an istiod that cannot read its files does not start.
 * @returns undefined if it can
 */
export function whyUnusable({ signer, chain, roots }: SigningFiles, now: Date): string | undefined {
  const certificate = readCertificate(signer.certificate)
  if (certificate === undefined) return 'the certificate of the CA cannot be read'
  if (!isPair(signer)) return 'the key does not belong to the certificate of the CA'
  if (!certificate.ca) return 'the certificate is not that of a CA'
  if (certificate.validFromDate > now || certificate.validToDate <= now)
    return `the CA is valid from ${certificate.validFrom} to ${certificate.validTo}`
  if (!leadsTo([signer.certificate, ...chain], roots)) return 'the CA does not lead to any of the roots'
  return undefined
}

/** The most certificates between a leaf and its root. */
const LONGEST_CHAIN = 8

/**
 * Whether a chain leads to one of these roots, by signatures. Dates are not looked at: an expired certificate still shows who signed it.
 * @param chain PEM, the certificate itself first @param roots PEM, one certificate each
 */
export function leadsTo(chain: readonly string[], roots: readonly string[]): boolean {
  const [first, ...others] = chain.slice(0, LONGEST_CHAIN).map(readCertificate)
  const anchors = roots.map(readCertificate)
  let current = first
  for (let length = 0; current !== undefined && length < LONGEST_CHAIN; length++) {
    const here: X509Certificate = current
    const isAnchor = (one: X509Certificate | undefined) =>
      one !== undefined && (one.fingerprint256 === here.fingerprint256 || isIssuedBy(here, one))
    if (anchors.some(isAnchor)) return true
    current = others.find(
      (one) => one !== undefined && one.fingerprint256 !== here.fingerprint256 && isIssuedBy(here, one),
    )
  }
  return false
}

function publicKeyOf(key: string): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()
}
