/** Domains that have an address in their name, to which public DNS services resolve every name below them: pure. */
import { isIPv4, isIPv6 } from 'node:net'

/** Both are served by the same program. https://nip.io, https://sslip.io */
const SERVICES = ['nip.io', 'sslip.io'] as const

/**
 * What does not do as a label of an IPv6 address: a hyphen at an end (RFC 1123) or as third and fourth character (RFC 5890), and
 * four decimal groups in a row, which sslip.io answers with an IPv4 address as well (xip.go, NameToA).
 */
const MISTAKABLE = /^-|-$|^..--|(^|-)(\d{1,3}-){3}\d{1,3}(-|$)/

/** `192.0.2.10.nip.io`, `2001-db8--9.sslip.io`; `undefined` for what no name expresses: host names, and zones (`fe80::1%eth0`). */
export function addressDomain(address: string): string | undefined {
  if (isIPv4(address)) return `${address}.nip.io`
  return isIPv6(address) && !address.includes('%') ? `${dashed(canonicalAddress(address))}.sslip.io` : undefined
}

/** The DNS service that a name is below, if any. */
export function addressService(name: string): string | undefined {
  return SERVICES.find((service) => name.endsWith(`.${service}`))
}

/** The addresses that a domain of these services has in its name, with dots or dashes; none in any other domain. */
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

/** One spelling for each address: IPv6 compressed and in lower case, as resolvers write it. */
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
