/** An authority for a domain on this machine, before anything is exposed: a new one, or one that people have already. */
import { createAuthority } from '../certificates/authority.ts'
import { type CertificateFacts, factsOf } from '../certificates/facts.ts'
import { type BroughtPair, requireBroughtAuthority } from '../certificates/user-authority.ts'
import { usageError } from '../errors.ts'
import type { Dependencies } from '../world.ts'
import { findHttpsGateways } from './https-gateways.ts'
import { authorityExists } from './serving-certificate.ts'

export interface CertCreateRequest {
  /** That in use when left out. */
  domain?: string | undefined
  /** Of a new authority's key. */
  bits?: number | undefined
  brought?: BroughtPair | undefined
}

export interface CertCreateResult {
  domain: string
  /** The file to trust. */
  certificate: string
  action: 'created' | 'imported' | 'unchanged'
  issuer: string
  notAfter: string
  daysLeft: number
  fingerprint: string
}

type Needs = Pick<Dependencies, 'cluster' | 'authorities' | 'clock' | 'random' | 'generateKey'>

/** @throws UserError AUTHORITY_EXISTS, DOMAIN_REQUIRED (exit 2), CA_INVALID (exit 2) */
export async function certCreate(request: CertCreateRequest, dependencies: Needs): Promise<CertCreateResult> {
  const { brought, bits } = request
  const { authorities, clock, random, generateKey } = dependencies
  const now = clock.now()
  const domain = request.domain ?? (await domainInUse(dependencies))
  const imported = brought && (await requireBroughtAuthority(domain, brought, now))
  const there = await authorities.find(domain)
  const wanted =
    imported ?? there ?? (await createAuthority(domain, { now, random, generateKey: () => generateKey(bits) }))
  const kept = there ?? (await authorities.keep(wanted))
  const certificate = authorities.certificatePath(domain)
  // What was made before, or by another run meanwhile, is as good as a new one, but not as one that was brought.
  if (imported !== undefined && kept.certificate !== imported.certificate) throw authorityExists(domain, certificate)
  const action = there !== undefined ? 'unchanged' : imported === undefined ? 'created' : 'imported'
  const { hosts: _, ...facts } = factsOf(kept.certificate, now) as CertificateFacts
  return { domain, certificate, action, ...facts }
}

async function domainInUse({ cluster }: Needs): Promise<string> {
  const found = await findHttpsGateways({}, cluster)
  const domains = [...new Set(found.flatMap(({ domain }) => domain ?? []))]
  const [domain, second] = domains
  if (domain !== undefined && second === undefined) return domain
  const why = domain === undefined ? 'nothing is exposed over HTTPS yet' : `there are ${domains.join(' and ')}`
  throw usageError(
    'DOMAIN_REQUIRED',
    `for which domain? ${why}`,
    domains.length > 0 ? domains.map((one) => `--domain ${one}`) : ['--domain example.com'],
  )
}
