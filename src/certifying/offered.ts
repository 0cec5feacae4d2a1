/**
 * CAs in the TLS Secrets of the cluster, which people let their clients trust. Whoever may write such a Secret offers any CA. So a CA is
 * handed out without more only if this machine has it, or if it can vouch only for a domain that its exposure was seen to serve.
 */
import { isIP } from 'node:net'
import { isSignedBy, readCertificate } from '../certificates/authority.ts'
import { certificatesIn } from '../certificates/facts.ts'
import { isLimitedTo, limitsOf } from '../certificates/limits.ts'
import { coversHost } from '../certificates/names.ts'
import { UserError } from '../errors.ts'
import { asFinding, type Finding } from '../findings.ts'
import { ipAddresses } from '../gateways/address.ts'
import { addressesIn } from '../gateways/address-domain.ts'
import { sh } from '../shell.ts'
import type { Dependencies } from '../world.ts'
import type { HttpsGateway } from './https-gateways.ts'
import { secretOf } from './report.ts'
import { authoritiesIn, faultOf, leafOf } from './secret-content.ts'

/** What people have to see of a CA before they trust it. */
export interface OfferedAuthority {
  /** Its name on one line: `O=kubectl telemetry, CN=kubectl telemetry CA 4a6b0c1d`. */
  subject: string
  /** For which names it can vouch: `only names in example.com`, or `every site`. */
  limits: string
  /** SHA-256 in hexadecimal with colons. */
  fingerprint: string
  /** The file on this machine, or `Secret NAMESPACE/NAME`. */
  source: string
}

/** A CA and its certificate in PEM. */
export interface HandedOut extends OfferedAuthority {
  pem: string
}

type Needs = Pick<Dependencies, 'authorities' | 'prober'>

/** @returns `undefined` for other texts */
export function describeAuthority(pem: string, source: string): HandedOut | undefined {
  const certificate = readCertificate(pem)
  if (certificate === undefined) return undefined
  const subject = certificate.subject.replaceAll('\n', ', ')
  return { subject, limits: limitsOf(pem), fingerprint: certificate.fingerprint256, source, pem }
}

/**
 * The CAs in these Secrets that may be handed out.
 * @param named `--fingerprint`: only these, from whichever Secret
 * @throws UserError FINGERPRINT_MISMATCH, CA_FINGERPRINT_REQUIRED for the first CA if none may be handed out
 */
export async function chooseAuthorities(
  gateways: readonly HttpsGateway[],
  named: readonly string[],
  needs: Needs,
): Promise<{ chosen: HandedOut[]; warnings: Finding[] }> {
  const offers = gateways.flatMap((gateway) => offersOf(gateway).map((offer) => ({ gateway, offer })))
  if (named.length > 0)
    return {
      chosen: chooseNamed(
        offers.map(({ offer }) => offer),
        named,
      ),
      warnings: [],
    }
  const judged = await Promise.all(
    offers.map(async ({ gateway, offer }) => ({ gateway, offer, good: await isVouchedFor(offer, gateway, needs) })),
  )
  const chosen = judged.filter(({ good }) => good).map(({ offer }) => offer)
  const refused = judged.filter(({ good }) => !good).map(({ offer, gateway }) => fingerprintRequired(offer, gateway))
  if (chosen.length === 0 && refused[0] !== undefined) throw refused[0]
  return { chosen, warnings: refused.map((error) => asFinding(error, 'warns')) }
}

/** A Gateway behind which no ingress gateway runs offers nothing. */
function offersOf(gateway: HttpsGateway): HandedOut[] {
  const { secret, services } = gateway
  if (secret === undefined || services.length === 0 || faultOf(secret) !== undefined) return []
  return certificatesIn(authoritiesIn(secret)).flatMap(
    (pem) => describeAuthority(pem, `Secret ${secretOf(gateway)}`) ?? [],
  )
}

/** @throws UserError FINGERPRINT_MISMATCH */
export function chooseNamed(offers: HandedOut[], named: readonly string[]): HandedOut[] {
  return named.map((fingerprint) => {
    const found = offers.find((offer) => offer.fingerprint === fingerprint)
    if (found !== undefined) return found
    const all = [...new Set(offers.map((offer) => `${offer.fingerprint} in ${offer.source}`))]
    const message = `no exposure has a CA with the fingerprint ${fingerprint}; there is ${all.join(' and ') || 'none'}`
    throw new UserError('FINGERPRINT_MISMATCH', message, {
      suggestions: ['ask the owner of the CA again; another CA may pretend to be the one that you expect'],
    })
  })
}

async function isVouchedFor({ pem, fingerprint }: HandedOut, gateway: HttpsGateway, needs: Needs): Promise<boolean> {
  const { domain } = gateway
  if (domain === undefined) return false
  // A CA whose files cannot be read counts as missing.
  const own = await needs.authorities.find(domain).catch(() => undefined)
  const known = [own?.certificate, own?.next?.certificate].map((one) => readCertificate(one ?? '')?.fingerprint256)
  return known.includes(fingerprint) || (isLimitedTo(pem, domain) && (await isServed(gateway, needs)))
}

/**
 * Whether the exposure is what it says: where its names lead, a certificate of this CA answers. Otherwise anybody could expose a domain
 * of others at a gateway of their own, and offer a CA for that domain.
 */
async function isServed(gateway: HttpsGateway, { prober }: Needs): Promise<boolean> {
  const { secret, hosts, targets, address, domain = '' } = gateway
  if (secret === undefined) return false
  const leaf = leafOf(secret)
  const read = readCertificate(leaf?.certificate ?? '')
  const [target] = targets
  if (leaf === undefined || read === undefined || target === undefined || address === undefined) return false
  const names = (read.subjectAltName ?? '').split(', ').map((name) => name.replace(/^DNS:/, ''))
  // During a rotation the next CA has signed nothing yet; the current one vouches for the Secret.
  const signed = certificatesIn(authoritiesIn(secret)).some(
    (one) => isLimitedTo(one, domain) && isSignedBy(leaf, { certificate: one }),
  )
  if (!signed || !hosts.every((host) => coversHost(names, host))) return false
  const { fingerprint } = await prober.servedCertificate(target)
  if (fingerprint !== read.fingerprint256) return false
  const has = address.kind === 'ip' ? ipAddresses(address) : await addressesOf(address.address, prober)
  const leads = addressesIn(domain).length > 0 ? addressesIn(domain) : await addressesOf(target.host, prober)
  return leads.some((one) => has.includes(one))
}

async function addressesOf(host: string, prober: Needs['prober']): Promise<string[]> {
  if (isIP(host) !== 0) return [host]
  const [found] = await prober.resolve([host])
  return found?.addresses ?? []
}

function fingerprintRequired({ subject, limits, fingerprint, source }: HandedOut, { domain }: HttpsGateway): UserError {
  const create = ['kubectl', 'telemetry', 'cert', 'create', ...(domain === undefined ? [] : ['--domain', domain])]
  const message = `the CA "${subject}" in ${source} can vouch for ${limits}, and this machine does not have it; its fingerprint is ${fingerprint}`
  return new UserError('CA_FINGERPRINT_REQUIRED', message, {
    suggestions: [
      '--fingerprint SHA256   # the fingerprint that the owner of the CA tells you, if it is the same',
      sh`${create}   # on the machine that has the CA: shows its fingerprint`,
    ],
  })
}
