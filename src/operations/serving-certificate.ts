/** The certificate an exposure serves with: the one in use as long as it is good, else a new leaf of the domain's authority. */
import {
  type Authority,
  createAuthority,
  daysLeft,
  issueLeaf,
  type KeyPair,
  whyReissue,
} from '../certificates/authority.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import type { Secret } from '../cluster/objects.ts'
import { UserError } from '../errors.ts'
import type { Dependencies } from './dependencies.ts'

export interface Certificates {
  authority: Authority
  /** Whether the authority is kept on this machine already. */
  kept: boolean
  leaf: KeyPair
  now: Date
}

/** @param present the TLS Secret as it is now */
export async function requireCertificates(
  domain: string,
  hosts: string[],
  present: Secret | undefined,
  dependencies: Pick<Dependencies, 'authorities' | 'clock' | 'random' | 'generateKey'>,
): Promise<Certificates> {
  const { authorities, clock, random, generateKey } = dependencies
  const now = clock.now()
  const issuing = { now, random, generateKey }
  const found = await authorities.find(domain)
  if (found !== undefined && daysLeft(found.certificate, now) < 1)
    throw authorityExpired(domain, authorities.certificatePath(domain))
  const authority = found ?? (await createAuthority(domain, issuing))
  const current = present && leafOf(present)
  const good = current !== undefined && whyReissue(current, authority, hosts, now) === undefined
  return {
    authority,
    kept: found !== undefined,
    leaf: good ? current : await issueLeaf(authority, hosts, issuing),
    now,
  }
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

function leafOf({ data = {} }: Secret): KeyPair | undefined {
  const { 'tls.crt': certificate, 'tls.key': key } = data
  if (certificate === undefined || key === undefined) return undefined
  const decode = (base64: string) => Buffer.from(base64, 'base64').toString()
  return { certificate: decode(certificate), key: decode(key) }
}
