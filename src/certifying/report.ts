/** What there is to tell of a certificate: what the Secret has, what the gateway serves, whether this machine trusts it. */
import { isIssuedBy, readCertificate } from '../certificates/authority.ts'
import type { AuthorityStore } from '../certificates/authority-store.ts'
import { type CertificateFacts, factsOf, isTrusted } from '../certificates/facts.ts'
import { signedOn } from '../manifests/tls-secret.ts'
import type { ServedCertificate } from '../probing/prober.ts'
import type { Dependencies, Warning } from '../world.ts'
import type { HttpsGateway } from './https-gateways.ts'
import { faultOf, leafOf } from './serving-certificate.ts'

/** One certificate: the contract of `cert … -o json`. Facts are left out of a Secret that has none. */
export interface CertificateReport extends Partial<Omit<CertificateFacts, 'hosts'>> {
  /** `NAMESPACE/NAME`. */
  secret: string
  /** The names in the certificate; without one, those that the Gateway serves. */
  hosts: string[]
  /** What the gateway shows to whoever connects; left out when it could not be asked. */
  served?: { fingerprint: string; matches: boolean }
  /**
   * Whether this machine has the authority that signed it, and so can sign again; the machine that signed it; and the fingerprint of the
   * authority that comes next, while a rotation is under way.
   */
  authority: { here: boolean; signedOn?: string; next?: string }
  /** Whether the trust store of this machine's system leads to it. */
  trusted: boolean
}

export type Reporting = Pick<Dependencies, 'prober' | 'trustStores' | 'authorities' | 'clock'>

export async function reportOn(
  gateway: HttpsGateway,
  { prober, trustStores, authorities, clock }: Reporting,
): Promise<{ certificate: CertificateReport; warnings: Warning[] }> {
  const now = clock.now()
  const leaf = gateway.secret && leafOf(gateway.secret)?.certificate
  const facts = leaf === undefined ? undefined : factsOf(leaf, now)
  const served = await Promise.all(gateway.targets.map((target) => prober.servedCertificate(target)))
  // Of several hosts the one that is served something else is the one to know of.
  const seen = served.filter(({ fingerprint }) => fingerprint !== undefined)
  const shown = seen.find(({ fingerprint }) => fingerprint !== facts?.fingerprint) ?? seen[0]
  const certificate: CertificateReport = {
    secret: secretOf(gateway),
    hosts: gateway.hosts,
    ...facts,
    ...(shown?.fingerprint === undefined
      ? {}
      : { served: { fingerprint: shown.fingerprint, matches: shown.fingerprint === facts?.fingerprint } }),
    authority: await authorityOf(gateway, leaf, authorities, now),
    trusted: isTrusted(chainOf(gateway), await trustStores.systemRoots(), now),
  }
  return { certificate, warnings: warningsOf(gateway, certificate, served) }
}

async function authorityOf(
  { domain, secret }: HttpsGateway,
  pem: string | undefined,
  authorities: AuthorityStore,
  now: Date,
): Promise<CertificateReport['authority']> {
  const where = secret && signedOn(secret)
  // One that cannot be read is not one to sign with.
  const own = domain === undefined ? undefined : await authorities.find(domain).catch(() => undefined)
  const certificate = readCertificate(pem ?? '')
  const issuers = [own?.certificate, own?.next?.certificate].flatMap((text) => readCertificate(text ?? '') ?? [])
  const here = certificate !== undefined && issuers.some((issuer) => isIssuedBy(certificate, issuer))
  const next = own?.next && factsOf(own.next.certificate, now)?.fingerprint
  return { here, ...(where === undefined ? {} : { signedOn: where }), ...(next === undefined ? {} : { next }) }
}

export function secretOf({ namespace, secretName }: Pick<HttpsGateway, 'namespace' | 'secretName'>): string {
  return `${namespace}/${secretName}`
}

/** The leaf, and what the Secret has beside it. */
function chainOf({ secret }: HttpsGateway): string {
  const decoded = (name: string) => Buffer.from(secret?.data?.[name] ?? '', 'base64').toString()
  return `${decoded('tls.crt')}\n${decoded('ca.crt')}`
}

function warningsOf(gateway: HttpsGateway, certificate: CertificateReport, served: ServedCertificate[]): Warning[] {
  const { namespace, secretName, secret, hosts } = gateway
  const name = secretOf(gateway)
  const remedy = 'kubectl telemetry expose   # again, makes it anew'
  if (secret === undefined)
    return [{ code: 'SECRET_MISSING', message: `Secret ${name}, which the Gateway serves with, is not there`, remedy }]
  const fault = faultOf(secret)
  if (fault !== undefined) return [{ code: 'SECRET_INVALID', message: `Secret ${name}: ${fault}`, remedy }]
  const lacking = hosts.filter((host) => !covers(certificate.hosts, host))
  const failed = served.find(({ fingerprint }) => fingerprint === undefined)
  return [
    ...(lacking.length === 0
      ? []
      : [{ code: 'NAMES_MISSING', message: `the certificate in ${name} is not for ${lacking.join(', ')}`, remedy }]),
    ...(certificate.served?.matches === false
      ? [
          {
            code: 'SERVED_DIFFERS',
            message: `the gateway serves another certificate than Secret ${name} has`,
            remedy: `kubectl -n ${namespace} get secret ${secretName}   # a pair that does not match is refused by the gateway, which goes on with the old one`,
          },
        ]
      : []),
    ...(gateway.targets.length === 0 || failed !== undefined ? [notAsked(name, failed?.message)] : []),
  ]
}

function notAsked(secret: string, why = 'no address of the gateway is known'): Warning {
  const message = `what the gateway serves with Secret ${secret} could not be seen from here: ${why}`
  return { code: 'NOT_REACHED', message, remedy: '--ingress-ip ADDRESS   # of what leads to the gateway from here' }
}

/** RFC 6125: a wildcard stands for one label. */
export function covers(names: string[], host: string): boolean {
  return names.some(
    (name) => name === host || (name.startsWith('*.') && host.slice(host.indexOf('.')) === name.slice(1)),
  )
}

/** Whether all is as it should be; what could not be seen from here is no failure. */
export function isSound({ code }: Warning): boolean {
  return code === 'NOT_REACHED'
}
