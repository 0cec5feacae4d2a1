/** Creates or imports the CA of a domain on this machine, before anything is exposed. */
import { createAuthority } from '../certificates/authority.ts'
import { type CertificateFacts, factsOf } from '../certificates/facts.ts'
import { requireUserAuthority, type UserKeyPair } from '../certificates/user-authority.ts'
import { usageError } from '../errors.ts'
import { sh } from '../shell.ts'
import type { Dependencies } from '../world.ts'
import { findHttpsGateways } from './https-gateways.ts'
import { authorityExists } from './serving-certificate.ts'

export interface CertCreateRequest {
  /** The domain in use when left out. */
  domain?: string | undefined
  /** Bits of the key of a new CA. */
  bits?: number | undefined
  userAuthority?: UserKeyPair | undefined
}

export interface CertCreateResult {
  domain: string
  /** The file with the CA certificate. */
  certificate: string
  action: 'created' | 'imported' | 'unchanged'
  issuer: string
  notAfter: string
  daysLeft: number
  fingerprint: string
}

type Needs = Pick<Dependencies, 'cluster' | 'authorities' | 'clock' | 'random' | 'generateKey'>

/** @throws UserError CA_EXISTS, DOMAIN_REQUIRED (exit 2), CA_INVALID (exit 2) */
export async function certCreate(request: CertCreateRequest, dependencies: Needs): Promise<CertCreateResult> {
  const { userAuthority, bits } = request
  const { authorities, clock, random, generateKey } = dependencies
  const now = clock.now()
  const domain = request.domain ?? (await domainInUse(dependencies))
  const imported = userAuthority && (await requireUserAuthority(domain, userAuthority, now))
  const existing = await authorities.find(domain)
  const wanted =
    imported ?? existing ?? (await createAuthority(domain, { now, random, generateKey: () => generateKey(bits) }))
  const kept = existing ?? (await authorities.keep(wanted))
  const certificate = authorities.certificatePath(domain)
  // An existing CA, or one of another run, can be used instead of a new one, but not instead of an imported one.
  if (imported !== undefined && kept.certificate !== imported.certificate) throw authorityExists(domain, certificate)
  const action = existing !== undefined ? 'unchanged' : imported === undefined ? 'created' : 'imported'
  const { hosts: _, ...facts } = factsOf(kept.certificate, now) as CertificateFacts
  return { domain, certificate, action, ...facts }
}

async function domainInUse({ cluster }: Needs): Promise<string> {
  const { ours: found } = await findHttpsGateways({}, cluster)
  const domains = [...new Set(found.flatMap(({ domain }) => domain ?? []))]
  const [domain, second] = domains
  if (domain !== undefined && second === undefined) return domain
  const why =
    domain === undefined ? 'nothing is exposed over HTTPS yet' : `the domains ${domains.join(' and ')} are in use`
  throw usageError(
    'DOMAIN_UNCLEAR',
    `--domain is required: ${why}`,
    domains.length > 0 ? domains.map((one) => sh`--domain ${one}`) : ['--domain example.com'],
  )
}
