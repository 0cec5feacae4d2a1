/** Addresses of exported hosts in a calling cluster. No packet with one of them leaves a pod: the sidecar takes it. Pure. */
import { BlockList, isIP, isIPv4 } from 'node:net'

/** Reserved for no use (RFC 1112, 4), so that no real host has one. Istio gives its own from 240.240.0.0/16. */
const FIRST = '240.0'
const ISTIOS_OWN = '240.240.0.0/16'
/** The first two look like those of a network and of a router. */
const LOWEST = 2
const HIGHEST = 65_534

/** The lowest address that is free. @param taken addresses and ranges; other texts are ignored */
export function freeAddress(taken: readonly string[]): string | undefined {
  const used = listOf(taken)
  for (let number = LOWEST; number <= HIGHEST; number++) {
    const address = `${FIRST}.${number >> 8}.${number & 255}`
    if (!used.check(address, 'ipv4')) return address
  }
  return undefined
}

/** Whether an address is one of these, or is inside of one of these ranges. */
export function isAmong(address: string, taken: readonly string[]): boolean {
  return listOf(taken).check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

const UNUSABLE: [string, string[]][] = [
  ['is an address of no host', ['0.0.0.0/8', '255.255.255.255', '::']],
  ['is a loopback address: no sidecar takes what is sent there', ['127.0.0.0/8', '::1']],
  ['is a multicast address', ['224.0.0.0/4', 'ff00::/8']],
  ['is in 240.240.0.0/16, from which Istio gives addresses itself', [ISTIOS_OWN]],
]

/** Why no host can have an address, after "it"; `undefined` if it can. */
export function whyUnusable(address: string): string | undefined {
  if (isIP(address) === 0) return 'is no IP address'
  return UNUSABLE.find(([, ranges]) => isAmong(address, ranges))?.[0]
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) add(list, range)
  return list
}

function add(list: BlockList, range: string): void {
  const [address = '', length, ...more] = range.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0) return
  const family = version === 4 ? 'ipv4' : 'ipv6'
  if (length === undefined) {
    list.addAddress(address, family)
    return
  }
  const bits = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN
  if (bits <= (version === 4 ? 32 : 128)) list.addSubnet(address, bits, family)
}
