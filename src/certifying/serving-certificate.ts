/** The certificate of an exposure: the one in use while it is good, otherwise a new leaf signed by the domain's CA. */
import {
  type Authority,
  createAuthority,
  daysLeft,
  type IssuanceInputs,
  isSignedBy,
  issueLeaf,
  type KeyPair,
  keyBits,
  whyReissue,
} from '../certificates/authority.ts'
import { requireUserAuthority, type UserKeyPair } from '../certificates/user-authority.ts'
import type { Secret } from '../cluster/objects.ts'
import { UserError } from '../errors.ts'
import { signedOn } from '../manifests/tls-secret.ts'
import { sh } from '../shell.ts'
import type { Dependencies } from '../world.ts'
import { leafOf } from './secret-content.ts'

export interface Certificates {
  authority: Authority
  /** Whether this machine already stores the CA. */
  kept: boolean
  leaf: KeyPair
  /** The machine that signed the leaf, as recorded in the Secret. */
  signedOn: string | undefined
  /** The machine whose CA signed the present certificate, if it is another machine. */
  replaces?: string | undefined
  now: Date
}

type Needs = Pick<Dependencies, 'authorities' | 'clock' | 'random' | 'generateKey' | 'machine'>

/** Inputs for the certificate of an exposure. */
export interface CertificateRequest {
  domain: string
  hosts: readonly string[]
  /** The existing TLS Secret. */
  present: Secret | undefined
  /** The user's own CA, which this machine stores from now on. */
  userAuthority?: UserKeyPair | undefined
}

/** The existing leaf as long as it is good, else a new one. */
export async function requireCertificates(
  { domain, hosts, present, userAuthority }: CertificateRequest,
  { authorities, clock, random, generateKey, machine }: Needs,
): Promise<Certificates> {
  const now = clock.now()
  const issuing = { now, random, generateKey }
  const found = await authorities.find(domain)
  if (found !== undefined && daysLeft(found.certificate, now) < 1)
    throw authorityExpired(domain, authorities.certificatePath(domain))
  const imported = userAuthority && (await requireUserAuthority(domain, userAuthority, now))
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
  return new UserError('CA_EXISTS', `this machine already has another CA for ${domain}: ${path}`, {
    suggestions: ['kubectl telemetry cert rotate --ca --ca-cert FILE --ca-key FILE   # rotates to the new CA'],
  })
}

/** Bits of an RSA key: fewer are unsafe, and more take minutes. */
const KEY_BITS = { least: 2048, most: 4096 }

/** A new key has the size of the old one, which the user may have chosen. The Secret may have any other key: it gets the default. */
export function withKeyLike(current: KeyPair | undefined, issuing: IssuanceInputs): IssuanceInputs {
  const bits = current && keyBits(current.certificate)
  const usual = bits !== undefined && KEY_BITS.least <= bits && bits <= KEY_BITS.most
  return { ...issuing, generateKey: () => issuing.generateKey(usual ? bits : undefined) }
}

/**
 * The CA that signs for a domain. This machine must have it.
 * @param present the present TLS Secret
 * @throws UserError CA_ELSEWHERE, CA_EXPIRED
 */
export async function requireAuthority(
  domain: string,
  present: Secret | undefined,
  { authorities, clock }: Pick<Needs, 'authorities' | 'clock'>,
): Promise<Authority> {
  const found = await authorities.find(domain)
  if (found === undefined) throw authorityElsewhere(domain, present)
  if (daysLeft(found.certificate, clock.now()) < 1) throw authorityExpired(domain, authorities.certificatePath(domain))
  return found
}

function authorityElsewhere(domain: string, present: Secret | undefined): UserError {
  const where = present && signedOn(present)
  const whose = where === undefined ? 'the machine that ran "expose"' : where
  return new UserError('CA_ELSEWHERE', `the CA of ${domain} is not on this machine: its key is on ${whose}`, {
    suggestions: [
      'run the command on that machine',
      `copy ca.crt and ca.key from ~/.local/share/kubectl-telemetry/authorities/${domain} on that machine, then: ${sh`kubectl telemetry cert create --domain ${domain} --ca-cert ca.crt --ca-key ca.key`}`,
    ],
  })
}

function authorityExpired(domain: string, path: string): UserError {
  const directory = path.slice(0, path.lastIndexOf('/'))
  return new UserError('CA_EXPIRED', `the CA of ${domain} (${path}) has expired`, {
    suggestions: [
      sh`mv ${directory} ${directory}.expired   # the next expose creates a new CA, which clients must then trust`,
    ],
  })
}
