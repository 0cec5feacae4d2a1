/**
 * Replaces the CA in two steps, so that clients always trust the CA that signs. First both CAs are distributed while the old one still
 * signs. When clients trust both, the new one signs and the old one is removed.
 */
import { type Authority, createAuthority, type KeyPair, keyBits, whyReissue } from '../certificates/authority.ts'
import { factsOf } from '../certificates/facts.ts'
import { requireUserAuthority } from '../certificates/user-authority.ts'
import { UserError } from '../errors.ts'
import type { Finding } from '../findings.ts'
import { signedOn } from '../manifests/tls-secret.ts'
import { changeCertificates, type NewCertificate } from './change.ts'
import { findHttpsGateways, type HttpsGateway } from './https-gateways.ts'
import { reissue, secretWith } from './rotate-leaves.ts'
import type { AuthorityFacts, CertRotateRequest, CertRotateResult, Needs, Rotation } from './rotation.ts'
import { leafOf } from './secret-content.ts'
import { findSignable } from './signing.ts'

/** A CA with its successor, and the Gateways that use it. */
interface Step {
  authority: Authority & { next: KeyPair }
  gateways: HttpsGateway[]
}

/** The first step. Running it again changes nothing. */
export async function beginRotation(request: CertRotateRequest, world: Needs): Promise<CertRotateResult> {
  const { known, warnings } = await authoritiesOf(request, world)
  const steps = await Promise.all(
    known.map(async ({ authority, gateways }) => {
      const next = await nextOf(authority, request, world)
      return { authority: { ...authority, next }, gateways }
    }),
  )
  const wanted = await planEach(steps, ({ authority }, gateway) => withBothAuthorities(gateway, authority, world))
  const what = 'Distribute a new CA together with the old one'
  // This machine stores the new CA before the cluster refers to it.
  const before = async () => {
    for (const { authority } of steps) await keepNext(authority, world)
  }
  const changed = await changeCertificates({ what, wanted, before, warnings }, request, world)
  return { ...changed, rotations: steps.map((step) => rotationOf(step, 'overlap', world)) }
}

/** The Gateways, grouped by their CA. */
async function authoritiesOf(
  request: CertRotateRequest,
  world: Needs,
): Promise<{ known: { authority: Authority; gateways: HttpsGateway[] }[]; warnings: Finding[] }> {
  const { ours, findings } = await findHttpsGateways(request, world.cluster)
  const { signable, warnings } = await findSignable(ours, world)
  const domains = Map.groupBy(signable, ({ domain }) => domain)
  const known = [...domains.values()].flatMap((here) => {
    const [first] = here
    return first === undefined ? [] : [{ authority: first.authority, gateways: here.map(({ gateway }) => gateway) }]
  })
  return { known, warnings: [...findings, ...warnings] }
}

async function nextOf(
  authority: Authority,
  { userAuthority, bits }: CertRotateRequest,
  { clock, random, generateKey }: Needs,
): Promise<KeyPair> {
  const { domain, next, certificate } = authority
  const now = clock.now()
  const imported = userAuthority && (await requireUserAuthority(domain, userAuthority, now))
  if (next !== undefined && imported !== undefined && imported.certificate !== next.certificate) {
    throw new UserError('ROTATION_OPEN', `a rotation of the CA of ${domain} is already in progress`, {
      suggestions: ['kubectl telemetry cert rotate --finish   # finishes it first'],
    })
  }
  const like = bits ?? keyBits(certificate)
  return next ?? imported ?? createAuthority(domain, { now, random, generateKey: () => generateKey(like) })
}

async function keepNext({ domain, next }: Step['authority'], { authorities }: Needs): Promise<void> {
  const kept = await authorities.keepNext(domain, next)
  if (kept.certificate === next.certificate) return
  const message = `another run began to rotate the CA of ${domain} at the same moment; nothing was changed in the cluster`
  throw new UserError('ROTATION_CONFLICT', message, { suggestions: ['run the command again'] })
}

/** The Secret with both CAs. A leaf that is still good stays. */
async function withBothAuthorities(
  gateway: HttpsGateway,
  authority: Step['authority'],
  world: Needs,
): Promise<NewCertificate> {
  const { secret, hosts } = gateway
  const leaf = secret && leafOf(secret)
  if (secret === undefined || leaf === undefined || whyReissue(leaf, authority, hosts, world.clock.now()) !== undefined)
    return reissue(gateway, authority, undefined, world)
  return secretWith(gateway, leaf, authority, signedOn(secret))
}

/** The second step. */
export async function finishRotation(request: CertRotateRequest, world: Needs): Promise<CertRotateResult> {
  const { known, warnings } = await authoritiesOf(request, world)
  const steps = known.flatMap(({ authority, gateways }) =>
    authority.next === undefined ? [] : [{ authority: { ...authority, next: authority.next }, gateways }],
  )
  if (steps.length === 0) {
    throw new UserError('NO_ROTATION', 'no rotation of a CA is in progress', {
      suggestions: ['kubectl telemetry cert rotate --ca   # starts one'],
    })
  }
  const wanted = await planEach(steps, ({ authority: { domain, next } }, gateway) =>
    reissue(gateway, { domain, ...next }, request.bits, world),
  )
  const what = 'Sign with the new CA, which clients must trust by now,'
  const after = async () => {
    for (const { authority } of steps) await world.authorities.promoteNext(authority.domain)
  }
  const changed = await changeCertificates({ what, wanted, after, warnings }, request, world)
  return { ...changed, rotations: steps.map((step) => rotationOf(step, 'finished', world)) }
}

async function planEach(
  steps: Step[],
  plan: (step: Step, gateway: HttpsGateway) => Promise<NewCertificate>,
): Promise<NewCertificate[]> {
  return Promise.all(steps.flatMap((step) => step.gateways.map((gateway) => plan(step, gateway))))
}

function rotationOf(
  { authority: { domain, certificate, next } }: Step,
  stage: Rotation['stage'],
  { authorities, clock }: Needs,
): Rotation {
  const [old, coming] = [certificate, next.certificate].map((pem) => {
    const { fingerprint = '', notAfter = '' } = factsOf(pem, clock.now()) ?? {}
    return { fingerprint, notAfter }
  }) as [AuthorityFacts, AuthorityFacts]
  return { domain, stage, certificate: authorities.certificatePath(domain), old, new: coming }
}
