/** Checks networks from the command line before anything is read or changed. */
import { isIP } from 'node:net'
import { isAccepted, type UserError, usageError } from '../errors.ts'
import { canonicalAddress } from '../gateways/address-domain.ts'

/** The value that removes an allow list. */
export const ANY_ADDRESS = 'any'

/** The value of --allow-cidr is wrong (exit 2). */
export function cidrInvalid(message: string, ...suggestions: string[]): UserError {
  return usageError('CIDR_INVALID', message, suggestions)
}

/**
 * @returns the network in canonical spelling: `10.0.0.0/8`, `2001:db8::/32`; a bare address becomes a network of one address
 * @throws UserError CIDR_INVALID (exit 2)
 */
export function requireCidr(text: string): string {
  const wrong = (why: string, example = '10.0.0.0/8') =>
    cidrInvalid(`--allow-cidr ${JSON.stringify(text)} ${why}`, `--allow-cidr ${example}`)
  const [address = '', digits, more] = text.trim().toLowerCase().split('/')
  const version = isIP(address)
  if (version === 0 || more !== undefined || address.includes('%')) throw wrong('is not an IPv4 or IPv6 network')
  if (version === 6 && address.includes('.')) throw wrong('has an IPv4 address in an IPv6 one', '192.0.2.0/24')
  const bits = version === 4 ? 32 : 128
  if (digits !== undefined && !/^\d{1,3}$/.test(digits)) throw wrong('has no number after the slash')
  const prefix = digits === undefined ? bits : Number(digits)
  if (prefix > bits) throw wrong(`has a prefix longer than ${bits} bits`)
  const network = networkOf(address, version, BigInt(bits - prefix))
  const canonical = `${network}/${prefix}`
  // 10.1.2.3/8 contradicts itself, and guessing the intended half would be unsafe.
  if (network !== canonicalAddress(address)) throw wrong('has bits set after its prefix', canonical)
  return canonical
}

/** Whether a text is a network or an address. */
export function isCidr(text: string): boolean {
  return isAccepted(() => requireCidr(text))
}

/** @param host number of bits at the end that do not belong to the network */
function networkOf(address: string, version: number, host: bigint): string {
  const number = version === 4 ? numberOf(address.split('.'), 10, 8n) : numberOf(groupsOf(address), 16, 16n)
  const masked = (number >> host) << host
  if (version === 4) return [24n, 16n, 8n, 0n].map((shift) => String((masked >> shift) & 255n)).join('.')
  const groups = Array.from({ length: 8 }, (_, index) => (masked >> BigInt(16 * (7 - index))) & 0xffffn)
  return canonicalAddress(groups.map((group) => group.toString(16)).join(':'))
}

function numberOf(parts: string[], radix: number, width: bigint): bigint {
  return parts.reduce((sum, part) => (sum << width) + BigInt(Number.parseInt(part, radix)), 0n)
}

function groupsOf(address: string): string[] {
  const [before = [], after = []] = address.split('::').map((half) => half.split(':').filter(Boolean))
  return [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
}
