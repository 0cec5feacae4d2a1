/** Domains, hosts and addresses that people type: checked before anything is read or changed. */
import { isIP } from 'node:net'
import { type UserError, usageError } from '../errors.ts'

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
/** A name whose last label is a number is an address to every URL parser; 999.1.1.1 is a mistyped one. https://url.spec.whatwg.org/#ends-in-a-number-checker */
const NUMBER_LAST = /(^|\.)(\d+|0x[0-9a-f]*)$/
/** RFC 1035: 253 visible characters; `prometheus.` is the longest host label we put in front. */
const LONGEST_DOMAIN = 253 - 'prometheus.'.length

/**
 * A domain below which add-ons get their hosts, in lower case.
 * @throws UserError DOMAIN_INVALID (exit 2)
 */
export function requireDomain(text: string): string {
  const domain = text.toLowerCase().replace(/\.$/, '')
  const wrong = (why: string) =>
    usageError('DOMAIN_INVALID', `--domain ${quote(text)} ${why}`, [
      '--domain example.com   # Grafana is then at grafana.example.com',
    ])
  if (domain.trim() === '') throw wrong('is empty')
  if (domain.includes('://')) throw wrong('has a scheme; give the domain alone')
  if (/\s/.test(domain)) throw wrong('has spaces')
  if (domain.includes('*')) throw wrong('is a wildcard; every host gets a name of its own')
  if (domain.length > LONGEST_DOMAIN) throw wrong(`is ${domain.length} characters long; at most ${LONGEST_DOMAIN} fit`)
  if (isIP(domain) !== 0 || NUMBER_LAST.test(domain))
    throw wrong('is an address, not a domain; addresses go to --ingress-ip')
  if (domain.includes(':') || domain.includes('/')) throw wrong('has a port or a path; give the domain alone')
  return requireName(domain, wrong)
}

/**
 * The address clients reach the ingress gateway at: an IP address or a host name.
 * @throws UserError ADDRESS_INVALID (exit 2)
 */
export function requireAddress(text: string): string {
  const address = text.trim().toLowerCase().replace(/\.$/, '')
  const wrong = (why: string) =>
    usageError('ADDRESS_INVALID', `--ingress-ip ${quote(text)} ${why}`, ['--ingress-ip 192.0.2.10'])
  if (address === '') throw wrong('is empty')
  if (isIP(address) !== 0) return address
  if (NUMBER_LAST.test(address)) throw wrong('is not an IP address')
  return requireName(address, wrong)
}

function requireName(name: string, wrong: (why: string) => UserError): string {
  if (name.length > 253) throw wrong(`is ${name.length} characters long; a DNS name has at most 253`)
  const label = name.split('.').find((part) => !LABEL.test(part))
  if (label !== undefined) throw wrong(`is not a DNS name: ${quote(label)} is not a valid label (RFC 1123)`)
  return name
}

/** Cut, so that a 300-character mistake stays readable. */
function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)
}

/** `grafana` and `example.com` make `grafana.example.com`. */
export function hostOf(addonName: string, domain: string): string {
  return `${addonName}.${domain}`
}

/** The page's URL; the port only when it is not the scheme's own, and a word for it while it is not known. */
export function urlOf({
  host,
  port,
  path,
  secure,
}: {
  host: string
  port: number | undefined
  path: string
  secure: boolean
}): string {
  return `${secure ? 'https' : 'http'}://${host}${port === (secure ? 443 : 80) ? '' : `:${port ?? 'NODE_PORT'}`}${path}`
}
