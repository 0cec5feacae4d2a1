/** The certificate an exposure serves with: the one in use as long as it is good, else a new leaf of the domain's authority. */
import type { X509Certificate } from 'node:crypto'
import {
  type Authority,
  createAuthority,
  daysLeft,
  type Issuing,
  isPair,
  isSignedBy,
  issueLeaf,
  type KeyPair,
  keyBits,
  readCertificate,
  whyReissue,
} from '../certificates/authority.ts'
import { type BroughtPair, requireBroughtAuthority } from '../certificates/user-authority.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import type { Secret } from '../cluster/objects.ts'
import { UserError } from '../errors.ts'
import { signedOn } from '../manifests/tls-secret.ts'
import type { Dependencies } from '../world.ts'

export interface Certificates {
  authority: Authority
  /** Whether the authority is kept on this machine already. */
  kept: boolean
  leaf: KeyPair
  /** The machine that signed the leaf, as the Secret says it. */
  signedOn: string | undefined
  /** Whose authority signed what is served now, if it was another machine's. */
  replaces?: string | undefined
  now: Date
}

type Needs = Pick<Dependencies, 'authorities' | 'clock' | 'random' | 'generateKey' | 'machine'>

/**
 * @param present the TLS Secret as it is now
 * @param brought an authority of theirs, to be kept on this machine from now on
 */
export async function requireCertificates(
  domain: string,
  hosts: string[],
  present: Secret | undefined,
  dependencies: Needs,
  brought?: BroughtPair,
): Promise<Certificates> {
  const { authorities, clock, random, generateKey, machine } = dependencies
  const now = clock.now()
  const issuing = { now, random, generateKey }
  const found = await authorities.find(domain)
  if (found !== undefined && daysLeft(found.certificate, now) < 1)
    throw authorityExpired(domain, authorities.certificatePath(domain))
  const imported = brought && (await requireBroughtAuthority(domain, brought, now))
  if (imported !== undefined && found !== undefined && imported.certificate !== found.certificate)
    throw authorityExists(domain, authorities.certificatePath(domain))
  const authority = found ?? imported ?? (await createAuthority(domain, issuing))
  const current = present && leafOf(present)
  const good = current !== undefined && whyReissue(current, authority, hosts, now) === undefined
  return {
    authority,
    kept: found !== undefined,
    leaf: good ? current : await issueLeaf(authority, hosts, withKeyLike(current, issuing)),
    replaces: present && current && !isSignedBy(current, authority) ? elsewhere(present, machine) : undefined,
    signedOn: good && present ? signedOn(present) : machine,
    now,
  }
}

/** The machine that signed a Secret, if it was another. */
function elsewhere(present: Secret, machine: string): string | undefined {
  const where = signedOn(present)
  return where === machine ? undefined : where
}

export function authorityExists(domain: string, path: string): UserError {
  return new UserError('AUTHORITY_EXISTS', `this machine has another authority for ${domain} already: ${path}`, {
    suggestions: ['kubectl telemetry cert rotate --ca --ca-cert FILE --ca-key FILE   # changes over to the new one'],
  })
}

/** A new key is as long as the one before, which somebody may have chosen. */
export function withKeyLike(current: KeyPair | undefined, issuing: Issuing): Issuing {
  return { ...issuing, generateKey: () => issuing.generateKey(current && keyBits(current.certificate)) }
}

/**
 * The authority that is to sign for a domain: this machine has to have it.
 * @param present the TLS Secret as it is now
 * @throws UserError AUTHORITY_ELSEWHERE, AUTHORITY_EXPIRED
 */
export async function requireAuthority(
  domain: string,
  present: Secret | undefined,
  { authorities, clock }: Pick<Dependencies, 'authorities' | 'clock'>,
): Promise<Authority> {
  const found = await authorities.find(domain)
  if (found === undefined) throw authorityElsewhere(domain, present)
  if (daysLeft(found.certificate, clock.now()) < 1) throw authorityExpired(domain, authorities.certificatePath(domain))
  return found
}

function authorityElsewhere(domain: string, present: Secret | undefined): UserError {
  const where = present && signedOn(present)
  const whose = where === undefined ? 'the machine that ran "expose"' : where
  return new UserError(
    'AUTHORITY_ELSEWHERE',
    `the authority of ${domain} is not on this machine: its key is on ${whose}`,
    {
      suggestions: [
        'run the command there',
        `copy ca.crt and ca.key from there, out of ~/.local/share/kubectl-telemetry/authorities/${domain}, then: kubectl telemetry cert create --domain ${domain} --ca-cert ca.crt --ca-key ca.key`,
      ],
    },
  )
}

function authorityExpired(domain: string, path: string): UserError {
  const directory = path.slice(0, path.lastIndexOf('/'))
  return new UserError('AUTHORITY_EXPIRED', `the authority of ${domain} (${path}) has expired`, {
    suggestions: [
      `mv ${directory} ${directory}.expired   # the next expose makes a new one, which clients then have to trust`,
    ],
  })
}

export function isSecret(object: KubeObject | undefined): object is Secret {
  return object?.kind === 'Secret'
}

/** The pair in a TLS Secret, whatever it is worth. */
export function leafOf({ data = {} }: Secret): KeyPair | undefined {
  const { 'tls.crt': certificate, 'tls.key': key } = data
  if (certificate === undefined || key === undefined) return undefined
  const decode = (base64: string) => Buffer.from(base64, 'base64').toString()
  return { certificate: decode(certificate), key: decode(key) }
}

/** PEM: the authorities that a TLS Secret names for clients. */
export function authoritiesIn({ data = {} }: Secret): string {
  return Buffer.from(data['ca.crt'] ?? '', 'base64').toString()
}

/** Why a TLS Secret cannot be served with, whatever its dates; `undefined` when it can. */
export function faultOf(secret: Secret): string | undefined {
  const pair = leafOf(secret)
  if (pair === undefined) return 'it has no tls.crt and tls.key'
  if (readCertificate(pair.certificate) === undefined) return 'tls.crt is no certificate'
  return isPair(pair) ? undefined : 'tls.key is not the key of tls.crt'
}

/**
 * The cluster takes any text for a certificate, and a gateway that is given a wrong one goes on with the old one and says so in its log
 * alone. So what is written is checked before.
 * @throws UserError CERTIFICATE_INVALID
 */
export function requireServable(secret: Secret, now: Date): void {
  const { name, namespace } = secret.metadata
  const certificate = readCertificate(leafOf(secret)?.certificate ?? '')
  const fault = faultOf(secret) ?? (certificate && outOfDate(certificate, now))
  if (fault !== undefined) throw new UserError('CERTIFICATE_INVALID', `Secret ${namespace}/${name}: ${fault}`)
}

function outOfDate({ validFromDate, validToDate }: X509Certificate, now: Date): string | undefined {
  if (validFromDate > now) return `its certificate is not valid before ${validFromDate.toISOString()}`
  if (validToDate <= now) return `its certificate expired on ${validToDate.toISOString()}`
  return undefined
}
