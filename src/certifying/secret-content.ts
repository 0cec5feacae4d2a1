/** What a TLS Secret contains, and whether a gateway can serve with it: pure. */
import type { X509Certificate } from 'node:crypto'
import { isPair, type KeyPair, readCertificate } from '../certificates/authority.ts'
import { certificatesIn, MOST_CERTIFICATES } from '../certificates/facts.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import type { Secret } from '../cluster/objects.ts'
import { UserError } from '../errors.ts'
import { secretText } from '../manifests/tls-secret.ts'

export function isSecret(object: KubeObject | undefined): object is Secret {
  return object?.kind === 'Secret'
}

/** The pair in a TLS Secret, unchecked. */
export function leafOf({ data = {} }: Secret): KeyPair | undefined {
  if (data['tls.crt'] === undefined || data['tls.key'] === undefined) return undefined
  return { certificate: secretText({ data }, 'tls.crt'), key: secretText({ data }, 'tls.key') }
}

/** PEM: the CA certificates in a TLS Secret. */
export function authoritiesIn(secret: Secret): string {
  return secretText(secret, 'ca.crt')
}

/** Why a gateway cannot use a TLS Secret, apart from its dates; `undefined` when it can. */
export function faultOf(secret: Secret): string | undefined {
  const pair = leafOf(secret)
  if (pair === undefined) return 'it has no tls.crt and tls.key'
  const texts = [pair.certificate, authoritiesIn(secret)]
  if (texts.some((text) => certificatesIn(text).length > MOST_CERTIFICATES))
    return `it has more than ${MOST_CERTIFICATES} certificates`
  if (readCertificate(pair.certificate) === undefined) return 'tls.crt is not a certificate'
  return isPair(pair) ? undefined : 'tls.key is not the key of tls.crt'
}

/**
 * The API server accepts any text as a certificate. A gateway that gets a wrong one keeps the old one, and reports that only in its
 * log. So certificates are checked before they are written.
 * @throws UserError CERTIFICATE_INVALID
 */
export function requireServable(secret: Secret, now: Date): void {
  const { name, namespace } = secret.metadata
  const certificate = readCertificate(leafOf(secret)?.certificate ?? '')
  const fault = faultOf(secret) ?? (certificate && outOfDate(certificate, now))
  if (fault !== undefined) throw certificateInvalid(`Secret ${namespace}/${name}: ${fault}`)
}

export function certificateInvalid(message: string, ...suggestions: string[]): UserError {
  return new UserError('CERTIFICATE_INVALID', message, { suggestions })
}

function outOfDate({ validFromDate, validToDate }: X509Certificate, now: Date): string | undefined {
  if (validFromDate > now) return `its certificate is not valid before ${validFromDate.toISOString()}`
  if (validToDate <= now) return `its certificate expired on ${validToDate.toISOString()}`
  return undefined
}
