/** Checks domains, hosts and addresses from the command line before anything is read or changed. */
import { isIP } from 'node:net'
import { UserError, usageError } from '../errors.ts'

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
/** URL parsers read a name whose last label is a number as an address; 999.1.1.1 is a mistyped one. https://url.spec.whatwg.org/#ends-in-a-number-checker */
const NUMBER_LAST = /(^|\.)(\d+|0x[0-9a-f]*)$/
/** RFC 1035 allows 253 visible characters; `prometheus.` is our longest host label. */
const LONGEST_DOMAIN = 253 - 'prometheus.'.length

/**
 * @returns the domain of the add-ons' hosts in lower case
 * @throws UserError DOMAIN_INVALID (exit 2)
 */
export function requireDomain(text: string): string {
  const domain = text.toLowerCase().replace(/\.$/, '')
  const wrong = (why: string) =>
    usageError('DOMAIN_INVALID', `--domain ${quote(text)} ${why}`, [
      '--domain example.com   # Grafana is then at grafana.example.com',
    ])
  if (domain.trim() === '') throw wrong('is empty')
  if (domain.includes('://')) throw wrong('has a scheme; give only the domain')
  if (/\s/.test(domain)) throw wrong('has spaces')
  if (domain.includes('*')) throw wrong('is a wildcard; each add-on gets its own host')
  if (domain.length > LONGEST_DOMAIN) throw wrong(`is ${domain.length} characters long; at most ${LONGEST_DOMAIN} fit`)
  if (isIP(domain) !== 0 || NUMBER_LAST.test(domain))
    throw wrong('is an address, not a domain; use --ingress-ip for addresses')
  if (domain.includes(':') || domain.includes('/')) throw wrong('has a port or a path; give only the domain')
  return requireName(domain, wrong)
}

/** Whether a text from the cluster is a domain as `requireDomain` returns it. */
export function isDomain(text: string): boolean {
  try {
    return requireDomain(text) === text
  } catch {
    return false
  }
}

/** No domain is known, so it has to be named. */
/** Whether a text is an IP address or a host name, without a port. */
export function isAddress(text: string): boolean {
  return isIP(text) !== 0 || isDomain(text)
}

export function domainRequired(message: string, suggestions: string[]): UserError {
  return new UserError('DOMAIN_REQUIRED', message, { suggestions })
}

/**
 * @returns the address of the ingress gateway: an IP address or a host name, with a port if one was given: `192.0.2.1:9443`, `[::1]:9443`
 * @throws UserError ADDRESS_INVALID (exit 2)
 */
export function requireAddress(text: string): string {
  const { address: named, port } = addressAndPort(text.trim().toLowerCase())
  const address = named.replace(/\.$/, '')
  const wrong = (why: string) => addressInvalid(`${quote(text)} ${why}`, '--ingress-ip 192.0.2.10')
  if (address === '') throw wrong('is empty')
  if (text.trim().startsWith('[') && text.includes(']') && isIP(address) !== 6) throw wrong('is not an IPv6 address')
  if (port !== undefined && (port < 1 || port > 65535)) throw wrong(`has port ${port}; a port is at most 65535`)
  const withPort = (host: string) => (port === undefined ? host : `${host}:${port}`)
  if (isIP(address) !== 0) return withPort(isIP(address) === 6 && port !== undefined ? `[${address}]` : address)
  if (NUMBER_LAST.test(address)) throw wrong('is not an IP address')
  return withPort(requireName(address, wrong))
}

/** The parts of `192.0.2.1:9443`, `[::1]:9443` or `lb.example.net:9443`; a bare IPv6 address has no port. */
export function addressAndPort(text: string): { address: string; port?: number } {
  const [, six, name, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{1,6}))?$/.exec(text) ?? []
  const address = six ?? name
  if (address === undefined) return { address: text }
  return digits === undefined ? { address } : { address, port: Number(digits) }
}

/**
 * The layout `ports` has several ports, and an address with a port has one.
 * @param own the exposure with a port of its own, if it is not the layout
 */
export function portNeedsHosts(address: string, own?: string): UserError {
  if (own !== undefined)
    return addressInvalid(
      `${quote(address)} has a port, but ${own} has a port of its own at the gateway`,
      `--ingress-ip ${addressAndPort(address).address}   # each exposure at its port of the gateway`,
    )
  const why = `${quote(address)} has a port, but the layout ports has a port for each add-on`
  return addressInvalid(why, '--layout hosts   # all add-ons at that port')
}

function addressInvalid(message: string, suggestion: string): UserError {
  return usageError('ADDRESS_INVALID', `--ingress-ip ${message}`, [suggestion])
}

function requireName(name: string, wrong: (why: string) => UserError): string {
  if (name.length > 253) throw wrong(`is ${name.length} characters long; a DNS name has at most 253`)
  const label = name.split('.').find((part) => !LABEL.test(part))
  if (label !== undefined) throw wrong(`is not a DNS name: ${quote(label)} is not a valid label (RFC 1123)`)
  return name
}

/** Quotes and shortens, so that a mistake of 300 characters stays readable. */
function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)
}

/** `grafana` and `example.com` make `grafana.example.com`. */
export function hostOf(addonName: string, domain: string): string {
  return `${addonName}.${domain}`
}

/** The page's URL, with its port if it is not the scheme's default, and with a placeholder while the port is unknown. */
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
  const named = host.includes(':') ? `[${host}]` : host
  return `${secure ? 'https' : 'http'}://${named}${port === (secure ? 443 : 80) ? '' : `:${port ?? 'NODE_PORT'}`}${path}`
}
