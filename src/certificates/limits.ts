/** Pure: for which names a CA can vouch, as every client judges it. What a stranger's CA says of itself is believed only where clients check it. */
import type { X509Certificate } from 'node:crypto'
import { isIssuedBy, readCertificate } from './authority.ts'
import { isNarrow } from './names.ts'
import { type NameConstraints, nameConstraintsIn, type Subtree } from './x509.ts'

/** GeneralName, RFC 5280 4.2.1.6. */
const DNS_NAME = 2
const IP_ADDRESS = 7

/** For which names a CA can vouch: `only names in example.com`, or `every site`. */
export function limitsOf(pem: string): string {
  const domains = limitedDomains(pem)
  return domains === undefined ? 'every site' : `only names in ${domains.join(', ')}`
}

/** Whether clients accept nothing from a CA but names in this domain, and nobody else has names there. */
export function isLimitedTo(pem: string, domain: string): boolean {
  const domains = limitedDomains(pem)
  return domains?.every((one) => (one === domain || one.endsWith(`.${domain}`)) && isNarrow(one)) ?? false
}

/** The domains to which critical name constraints limit a root CA; `undefined` if it can vouch for others, or for itself as a site. */
function limitedDomains(pem: string): string[] | undefined {
  const certificate = readCertificate(pem)
  if (certificate === undefined || !isPlainRoot(certificate)) return undefined
  const constraints = nameConstraintsIn(certificate.raw)
  return constraints === undefined || !constraints.critical ? undefined : permittedDomains(constraints)
}

/**
 * Constraints limit what a CA signs, but not itself: a client that trusts it also accepts it as the certificate of its own names. So it
 * has none. A CA that is no root has an issuer, about which nothing is known.
 */
function isPlainRoot(certificate: X509Certificate): boolean {
  const names = certificate.subject.split(/\n| \+ /).filter((part) => part.startsWith('CN='))
  const noSite = names.every((name) => /[^\w.*-]/.test(name.slice('CN='.length)))
  return certificate.ca && certificate.subjectAltName === undefined && noSite && isIssuedBy(certificate, certificate)
}

/** A kind of name without a permitted one is free, so there has to be a domain, and no address. */
function permittedDomains({ permitted, excluded }: NameConstraints): string[] | undefined {
  const domains = permitted.filter(({ kind }) => kind === DNS_NAME).map(({ value }) => value.toLowerCase())
  const whole = [...permitted, ...excluded].every(({ plain }) => plain)
  const addresses = permitted.some(({ kind }) => kind === IP_ADDRESS) || !excludesEveryAddress(excluded)
  return domains.length === 0 || domains.includes('') || !whole || addresses ? undefined : domains
}

function excludesEveryAddress(excluded: Subtree[]): boolean {
  return [8, 32].every((octets) =>
    excluded.some(({ kind, value }) => kind === IP_ADDRESS && value === '\0'.repeat(octets)),
  )
}
