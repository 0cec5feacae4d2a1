/** What people bring of their own: an authority and its key, read and judged before anything else happens. */
import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto'
import { type UserError, usageError } from '../errors.ts'
import { type Authority, isIssuedBy, isPair, issueLeaf, type KeyPair, readCertificate } from './authority.ts'
import { accepts, maySign } from './x509.ts'

/** PEM texts, and what to call them: the names of files, say. */
export interface BroughtPair extends KeyPair {
  certificateName: string
  keyName: string
}

/**
 * An authority to sign with for a domain.
 * @throws UserError CA_INVALID (exit 2)
 */
export async function requireBroughtAuthority(domain: string, pair: BroughtPair, now: Date): Promise<Authority> {
  const { certificateName, keyName } = pair
  const invalid = (name: string, why: string, ...suggestions: string[]) =>
    usageError('CA_INVALID', `${name}: ${why}`, suggestions)
  const certificate = requireCertificate(pair.certificate, (why) => invalid(certificateName, why))
  const key = requireKey(pair.key, keyName, (why, ...more) => invalid(keyName, why, ...more))
  if (key.asymmetricKeyType !== 'rsa')
    throw invalid(keyName, `it is an ${key.asymmetricKeyType} key; only RSA is signed with`, EXISTING_SECRET, ISSUER)
  const pem = certificate.toString()
  const pkcs8 = key.export({ type: 'pkcs8', format: 'pem' }).toString()
  if (!isPair({ certificate: pem, key: pkcs8 })) throw invalid(keyName, `it is not the key of ${certificateName}`)
  if (!certificate.ca || !maySign(pem))
    throw invalid(certificateName, 'it may not sign certificates (no CA by its basic constraints or its key usage)')
  if (!isIssuedBy(certificate, certificate))
    throw invalid(certificateName, 'another authority signed it; only a root can be brought', EXISTING_SECRET, ISSUER)
  if (certificate.validFromDate > now || certificate.validToDate <= now)
    throw invalid(certificateName, `it is valid from ${certificate.validFrom} to ${certificate.validTo} only`)
  const authority = { domain, certificate: pem, key: pkcs8 }
  if (!(await mayVouch(authority, now)))
    throw invalid(certificateName, `it may not vouch for names in ${domain} (its name constraints)`)
  return authority
}

/** By a trial: a leaf that is thrown away. */
async function mayVouch(authority: Authority, now: Date): Promise<boolean> {
  const random = (bytes: number) => new Uint8Array(bytes)
  const trial = { now, random, generateKey: async () => authority.key }
  const leaf = await issueLeaf(authority, [`grafana.${authority.domain}`], trial)
  return accepts(authority.certificate, leaf.certificate, now)
}

const EXISTING_SECRET = '--tls-secret NAME   # with a certificate that you have had signed'
const ISSUER = '--tls-issuer NAME   # of cert-manager'

function requireCertificate(pem: string, invalid: (why: string) => UserError): X509Certificate {
  if (pem.includes('BEGIN CERTIFICATE REQUEST') || pem.includes('BEGIN NEW CERTIFICATE REQUEST'))
    throw invalid('it is a request for a certificate (CSR), which is still to be signed')
  if (pem.includes('PRIVATE KEY') && !pem.includes('BEGIN CERTIFICATE')) throw invalid('it is a key, not a certificate')
  const certificate = readCertificate(pem)
  if (certificate === undefined) throw invalid('it is no certificate in PEM')
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
    if (encrypted)
      throw invalid('the key is encrypted', `openssl pkey -in ${name} -out plain.key   # takes the password off`)
    throw invalid('it is no private key in PEM')
  }
}
