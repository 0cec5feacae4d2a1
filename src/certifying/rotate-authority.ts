/**
 * A new authority in two steps, so that no client is ever without one that it trusts: first the old and the new one are handed out together
 * while the old one goes on signing; when clients trust both, the new one signs and the old one is forgotten.
 */
import { type Authority, createAuthority, type KeyPair, keyBits, whyReissue } from '../certificates/authority.ts'
import { type CertificateFacts, factsOf } from '../certificates/facts.ts'
import { requireBroughtAuthority } from '../certificates/user-authority.ts'
import { UserError } from '../errors.ts'
import { signedOn } from '../manifests/tls-secret.ts'
import { changeCertificates, type NewCertificate } from './change.ts'
import { findHttpsGateways, type HttpsGateway, requireOwnSecret } from './https-gateways.ts'
import type { CertRotateRequest, CertRotateResult, RotatingNeeds } from './rotate.ts'
import { reissued, secretWith } from './rotate-leaves.ts'
import { leafOf, requireAuthority } from './serving-certificate.ts'

/** A domain's change from one authority to another. */
export interface Rotation {
  domain: string
  /** `overlap`: clients are to trust both; `finished`: the new one signs. */
  stage: 'overlap' | 'finished'
  /** The file that clients trust. */
  certificate: string
  old: AuthorityFacts
  new: AuthorityFacts
}

type AuthorityFacts = Pick<CertificateFacts, 'fingerprint' | 'notAfter'>

/** What is exposed with one authority, and the one that comes after it. */
interface Step {
  authority: Authority & { next: KeyPair }
  gateways: HttpsGateway[]
}

/** The first step. Run again it changes nothing. */
export async function beginRotation(request: CertRotateRequest, world: RotatingNeeds): Promise<CertRotateResult> {
  const known = await authoritiesOf(request, world)
  const steps = await Promise.all(
    known.map(async ({ authority, gateways }) => {
      const next = await nextOf(authority, request, world)
      return { authority: { ...authority, next }, gateways }
    }),
  )
  const wanted = await inEach(steps, ({ authority }, gateway) => handedOut(gateway, authority, world))
  // Before the cluster names an authority, this machine has it.
  const before = async () => {
    for (const { authority } of steps) await keepNext(authority, world)
  }
  const changed = await changeCertificates('Hand out a new authority beside the old one', wanted, request, world, {
    before,
  })
  return { ...changed, rotations: steps.map((step) => rotationOf(step, 'overlap', world)) }
}

/** What is exposed, by the authority that it is exposed with. */
async function authoritiesOf(
  request: CertRotateRequest,
  world: RotatingNeeds,
): Promise<{ authority: Authority; gateways: HttpsGateway[] }[]> {
  const gateways = await findHttpsGateways(request, world.cluster)
  const domains = [...new Set(gateways.map(requireOwnSecret))]
  return Promise.all(
    domains.map(async (domain) => {
      const here = gateways.filter((gateway) => gateway.domain === domain)
      return { authority: await requireAuthority(domain, here[0]?.secret, world), gateways: here }
    }),
  )
}

async function nextOf(
  authority: Authority,
  { brought, bits }: CertRotateRequest,
  { clock, random, generateKey }: RotatingNeeds,
): Promise<KeyPair> {
  const { domain, next, certificate } = authority
  const now = clock.now()
  const imported = brought && (await requireBroughtAuthority(domain, brought, now))
  if (next !== undefined && imported !== undefined && imported.certificate !== next.certificate) {
    throw new UserError('ROTATION_OPEN', `the authority of ${domain} is being changed for another one already`, {
      suggestions: ['kubectl telemetry cert rotate --finish   # ends that first'],
    })
  }
  const like = bits ?? keyBits(certificate)
  return next ?? imported ?? createAuthority(domain, { now, random, generateKey: () => generateKey(like) })
}

async function keepNext({ domain, next }: Step['authority'], { authorities }: RotatingNeeds): Promise<void> {
  const kept = await authorities.keepNext(domain, next)
  if (kept.certificate === next.certificate) return
  const message = `another run began to change the authority of ${domain} at the same moment; nothing was changed in the cluster`
  throw new UserError('CONFLICT', message, { suggestions: ['run the command again'] })
}

/** The leaf stays, as long as it is good. */
async function handedOut(
  gateway: HttpsGateway,
  authority: Step['authority'],
  world: RotatingNeeds,
): Promise<NewCertificate> {
  const { secret, hosts } = gateway
  const leaf = secret && leafOf(secret)
  if (secret === undefined || leaf === undefined || whyReissue(leaf, authority, hosts, world.clock.now()) !== undefined)
    return reissued(gateway, authority, undefined, world)
  return secretWith(gateway, leaf, authority, signedOn(secret))
}

/** The second step. */
export async function finishRotation(request: CertRotateRequest, world: RotatingNeeds): Promise<CertRotateResult> {
  const known = await authoritiesOf(request, world)
  const steps = known.flatMap(({ authority, gateways }) =>
    authority.next === undefined ? [] : [{ authority: { ...authority, next: authority.next }, gateways }],
  )
  if (steps.length === 0) {
    throw new UserError('NO_ROTATION', 'no authority is being changed for another one', {
      suggestions: ['kubectl telemetry cert rotate --ca   # begins with it'],
    })
  }
  const wanted = await inEach(steps, ({ authority: { domain, next } }, gateway) =>
    reissued(gateway, { domain, ...next }, request.bits, world),
  )
  const what = 'Sign with the new authority, which clients then have to trust,'
  const after = async () => {
    for (const { authority } of steps) await world.authorities.promoteNext(authority.domain)
  }
  const changed = await changeCertificates(what, wanted, request, world, { after })
  return { ...changed, rotations: steps.map((step) => rotationOf(step, 'finished', world)) }
}

async function inEach(
  steps: Step[],
  plan: (step: Step, gateway: HttpsGateway) => Promise<NewCertificate>,
): Promise<NewCertificate[]> {
  return Promise.all(steps.flatMap((step) => step.gateways.map((gateway) => plan(step, gateway))))
}

function rotationOf(
  { authority: { domain, certificate, next } }: Step,
  stage: Rotation['stage'],
  { authorities, clock }: RotatingNeeds,
): Rotation {
  const [old, coming] = [certificate, next.certificate].map((pem) => {
    const { fingerprint = '', notAfter = '' } = factsOf(pem, clock.now()) ?? {}
    return { fingerprint, notAfter }
  }) as [AuthorityFacts, AuthorityFacts]
  return { domain, stage, certificate: authorities.certificatePath(domain), old, new: coming }
}
