/** The report on a certificate: the content of the Secret, what the gateway serves, whether this machine trusts it. */
import { isIssuedBy, readCertificate } from '../certificates/authority.ts'
import type { AuthorityStore } from '../certificates/authority-store.ts'
import { type CertificateFacts, factsOf, isTrusted } from '../certificates/facts.ts'
import { coversHost } from '../certificates/names.ts'
import { type Finding, fails, warns } from '../findings.ts'
import { secretText, signedOn } from '../manifests/tls-secret.ts'
import type { ServedCertificate } from '../probing/prober.ts'
import { sh } from '../shell.ts'
import type { Dependencies } from '../world.ts'
import type { HttpsGateway } from './https-gateways.ts'
import { faultOf, leafOf } from './secret-content.ts'

/** One certificate: the contract of `cert … -o json`. Facts are left out if the Secret has no certificate. */
export interface CertificateReport extends Partial<Omit<CertificateFacts, 'hosts'>> {
  /** `NAMESPACE/NAME`. */
  secret: string
  /** The names in the certificate; without one, those that the Gateway serves. */
  hosts: string[]
  /** The certificate that the gateway serves; left out when the gateway could not be reached. */
  served?: { fingerprint: string; matches: boolean }
  /**
   * Whether this machine has the CA that signed it, and so can sign again; the machine that signed it; and during a rotation the
   * fingerprint of the new CA.
   */
  authority: { here: boolean; signedOn?: string; next?: string }
  /** Whether the trust store of this machine's system trusts it. */
  trusted: boolean
}

export type Needs = Pick<Dependencies, 'prober' | 'trustStores' | 'authorities' | 'clock'>

export async function reportOn(
  gateway: HttpsGateway,
  { prober, trustStores, authorities, clock }: Needs,
): Promise<{ certificate: CertificateReport; warnings: Finding[] }> {
  const now = clock.now()
  const leaf = gateway.secret && leafOf(gateway.secret)?.certificate
  const facts = leaf === undefined ? undefined : factsOf(leaf, now)
  const served = await Promise.all(gateway.targets.map((target) => prober.servedCertificate(target)))
  // If one of several hosts gets another certificate, the report shows that one.
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
  // A CA whose files cannot be read counts as missing.
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

/** The leaf and the CA certificates in the Secret. */
function chainOf({ secret }: HttpsGateway): string {
  return `${secretText(secret, 'tls.crt')}\n${secretText(secret, 'ca.crt')}`
}

function warningsOf(gateway: HttpsGateway, certificate: CertificateReport, served: ServedCertificate[]): Finding[] {
  const { namespace, secretName, secret, hosts } = gateway
  const name = secretOf(gateway)
  const remedy = 'kubectl telemetry expose   # creates it again'
  if (secret === undefined)
    return [fails('SECRET_MISSING', `Secret ${name}, which the Gateway uses, does not exist`, remedy)]
  const fault = faultOf(secret)
  if (fault !== undefined) return [fails('SECRET_INVALID', `Secret ${name}: ${fault}`, remedy)]
  const lacking = hosts.filter((host) => !coversHost(certificate.hosts, host))
  const failed = served.find(({ fingerprint }) => fingerprint === undefined)
  return [
    ...(lacking.length === 0
      ? []
      : [fails('NAMES_MISSING', `the certificate in ${name} is not for ${lacking.join(', ')}`, remedy)]),
    ...(certificate.served?.matches === false
      ? [
          fails(
            'SERVED_DIFFERS',
            `the gateway serves another certificate than Secret ${name} contains`,
            sh`kubectl -n ${namespace} get secret ${secretName}   # the gateway rejects a certificate that does not match its key, and keeps serving the old one`,
          ),
        ]
      : []),
    ...(gateway.targets.length === 0 || failed !== undefined ? [notAsked(name, failed?.message)] : []),
  ]
}

function notAsked(secret: string, why = 'no address of the gateway is known'): Finding {
  const message = `cannot see from this machine which certificate the gateway serves for Secret ${secret}: ${why}`
  return warns('NOT_REACHED', message, '--ingress-ip ADDRESS   # an address at which this machine reaches the gateway')
}
