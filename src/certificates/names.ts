/** Pure: host names in certificates, and domains of CAs. */
import { getPublicSuffix } from 'tldts'
import { usageError } from '../errors.ts'

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** Whether a text is a DNS name in lower case (RFC 1123), and so never more than one name in a path. */
export function isDnsName(text: string): boolean {
  return text.length <= 253 && text.split('.').every((label) => LABEL.test(label))
}

/** Whether one of a certificate's names matches a host. A wildcard matches exactly one label (RFC 6125). */
export function coversHost(names: string[], host: string): boolean {
  return names.some(
    (name) => name === host || (name.startsWith('*.') && host.slice(host.indexOf('.')) === name.slice(1)),
  )
}

/** Services whose names contain an address, and everybody has some: they are not in the public suffix list. */
const SHARED = ['nip.io', 'sslip.io']
/** In that list, but for names of one's own network (RFC 8375). */
const OWN = ['home.arpa']

/**
 * Whether nobody else has names below a domain. The public suffix list says where others have: below registries (co.uk), and below
 * domains that give names to everybody (github.io). https://publicsuffix.org
 */
export function isNarrow(domain: string): boolean {
  if (OWN.includes(domain)) return true
  return !SHARED.includes(domain) && getPublicSuffix(domain, { allowPrivateDomains: true }) !== domain
}

/**
 * Refuses domains below which others have names: whoever trusts such a CA would trust it for their sites.
 * @throws UserError DOMAIN_TOO_WIDE (exit 2)
 */
export function requireNarrow(domain: string): void {
  if (isNarrow(domain)) return
  throw usageError('DOMAIN_TOO_WIDE', `a CA for "${domain}" could sign for everybody who has a name below it`, [
    `--domain telemetry.${domain}   # a name below it that is yours`,
    '--tls-secret NAME   # your own certificate',
  ])
}
