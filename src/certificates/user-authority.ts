/** Checks a CA and its key that the user supplies, before anything is changed. */
import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto'
import { type UserError, usageError } from '../errors.ts'
import { type Authority, isIssuedBy, isPair, issueLeaf, type KeyPair, readCertificate } from './authority.ts'
import { accepts, maySign, pathLength } from './x509.ts'

/** PEM texts, and their names for messages, for example file names. */
export interface UserKeyPair extends KeyPair {
  certificateName: string
  keyName: string
}

/**
 * @returns the CA, if it can sign certificates for the domain
 * @throws UserError CA_INVALID (exit 2)
 */
export async function requireUserAuthority(domain: string, pair: UserKeyPair, now: Date): Promise<Authority> {
  const authority = { domain, ...requireRoot(pair, now, [EXISTING_SECRET, ISSUER]) }
  if (await maySignFor(authority, now)) return authority
  throw invalid(pair.certificateName, `it is not allowed to sign names in ${domain} (name constraints)`)
}

/**
 * @returns the root, if it can sign other CAs
 * @throws UserError CA_INVALID (exit 2)
 */
export function requireUserRoot(pair: UserKeyPair, now: Date): KeyPair {
  const root = requireRoot(pair, now, [])
  if (pathLength(root.certificate) !== 0) return root
  throw invalid(pair.certificateName, 'it is not allowed to sign other CAs (its path length is 0)')
}

function invalid(name: string, why: string, ...suggestions: string[]): UserError {
  return usageError('CA_INVALID', `${name}: ${why}`, suggestions)
}

/** @param otherWays suggestions for what is not supported */
function requireRoot(pair: UserKeyPair, now: Date, otherWays: string[]): KeyPair {
  const { certificateName, keyName } = pair
  const certificate = requireCertificate(pair.certificate, (why) => invalid(certificateName, why))
  const key = requireKey(pair.key, keyName, (why, ...more) => invalid(keyName, why, ...more))
  if (key.asymmetricKeyType !== 'rsa')
    throw invalid(keyName, `it is an ${key.asymmetricKeyType} key; only RSA keys are supported`, ...otherWays)
  const pem = certificate.toString()
  const pkcs8 = key.export({ type: 'pkcs8', format: 'pem' }).toString()
  if (!isPair({ certificate: pem, key: pkcs8 })) throw invalid(keyName, `it does not belong to ${certificateName}`)
  if (!certificate.ca || !maySign(pem))
    throw invalid(certificateName, 'it is not allowed to sign certificates (basic constraints or key usage)')
  if (!isIssuedBy(certificate, certificate))
    throw invalid(certificateName, 'another CA signed it; only root CAs are supported', ...otherWays)
  if (certificate.validFromDate > now || certificate.validToDate <= now)
    throw invalid(certificateName, `it is only valid from ${certificate.validFrom} to ${certificate.validTo}`)
  return { certificate: pem, key: pkcs8 }
}

/** Signs and verifies a leaf, which is then dropped. */
async function maySignFor(authority: Authority, now: Date): Promise<boolean> {
  const random = (bytes: number) => new Uint8Array(bytes)
  const trial = { now, random, generateKey: async () => authority.key }
  const leaf = await issueLeaf(authority, [`grafana.${authority.domain}`], trial)
  return accepts(authority.certificate, leaf.certificate, now)
}

const EXISTING_SECRET = '--tls-secret NAME   # a Secret with a certificate that your CA has signed'
const ISSUER = '--tls-issuer NAME   # an issuer of cert-manager'

function requireCertificate(pem: string, invalid: (why: string) => UserError): X509Certificate {
  if (pem.includes('BEGIN CERTIFICATE REQUEST') || pem.includes('BEGIN NEW CERTIFICATE REQUEST'))
    throw invalid('it is a certificate signing request (CSR), not a certificate')
  if (pem.includes('PRIVATE KEY') && !pem.includes('BEGIN CERTIFICATE')) throw invalid('it is a key, not a certificate')
  const certificate = readCertificate(pem)
  if (certificate === undefined) throw invalid('it is not a certificate in PEM')
  return certificate
}

function requireKey(
  pem: string,
  name: string,
  invalid: (why: string, ...suggestions: string[]) => UserError,
): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (error) {
    const encrypted = pem.includes('ENCRYPTED') || (error as NodeJS.ErrnoException).code === 'ERR_MISSING_PASSPHRASE'
    if (encrypted) throw invalid('the key is encrypted', `openssl pkey -in ${name} -out plain.key   # decrypts the key`)
    throw invalid('it is not a private key in PEM')
  }
}
