/** Pure: domains that contain an address, to which public DNS services resolve every name below them. */
import { isIPv4, isIPv6 } from 'node:net'

/** Both services run the same program. https://nip.io, https://sslip.io */
const SERVICES = ['nip.io', 'sslip.io'] as const

/**
 * Matches invalid labels for IPv6 addresses: a hyphen at an end (RFC 1123), hyphens as third and fourth character (RFC 5890), and four
 * decimal groups in a row, which sslip.io also reads as an IPv4 address (xip.go, NameToA).
 */
const MISTAKABLE = /^-|-$|^..--|(^|-)(\d{1,3}-){3}\d{1,3}(-|$)/

/** `192.0.2.10.nip.io`, `2001-db8--9.sslip.io`; `undefined` for host names and addresses with a zone (`fe80::1%eth0`). */
export function addressDomain(address: string): string | undefined {
  if (isIPv4(address)) return `${address}.nip.io`
  return isIPv6(address) && !address.includes('%') ? `${dashed(canonicalAddress(address))}.sslip.io` : undefined
}

/** The DNS service of a name, if it has one. */
export function addressService(name: string): string | undefined {
  return SERVICES.find((service) => name.endsWith(`.${service}`))
}

/** The addresses in a domain of these services, with dots or dashes; none for other domains. */
export function addressesIn(domain: string): string[] {
  const service = addressService(domain)
  if (service === undefined) return []
  const name = domain.slice(0, -service.length - 1)
  const four = [...name.matchAll(/(?<=^|[.-])\d{1,3}([.-])\d{1,3}(?:\1\d{1,3}){2}(?=$|[.-])/g)]
  const six = name.split('.').map((label) => label.replaceAll('-', ':'))
  return [
    ...four.map(([found]) => found.replaceAll('-', '.')).filter((found) => isIPv4(found)),
    ...six.filter((found) => isIPv6(found)).map(canonicalAddress),
  ]
}

/** Canonical spelling of an address: IPv6 compressed and in lower case, as resolvers write it. */
export function canonicalAddress(address: string): string {
  const plain = isIPv6(address) && !address.includes('%')
  return plain ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address
}

function dashed(address: string): string {
  const short = address.replaceAll(':', '-')
  if (!MISTAKABLE.test(short)) return short
  const [before = [], after = []] = address.split('::').map((half) => half.split(':').filter(Boolean))
  const between = Array<string>(8 - before.length - after.length).fill('0')
  return [...before, ...between, ...after].map((group) => group.padStart(4, '0')).join('-')
}
