/** Checks whether the hosts of an exposure resolve to the gateway on this machine. Often only the user can fix that hop. */

import { type Finding, warns } from '../findings.ts'
import { type IngressAddress, ipAddresses } from '../gateways/address.ts'
import { addressesIn, addressService, canonicalAddress } from '../gateways/address-domain.ts'
import type { Prober, Resolution } from '../probing/prober.ts'

/** The name has another address, only other names of its DNS service resolve, no DNS answers, or DNS does not know the name. */
type Fault = 'elsewhere' | 'filtered' | 'no-dns' | 'unknown'

/** A name with a public address, which no filter removes. It distinguishes a filter of private addresses from missing DNS. */
const CONTROL = '8-8-8-8'

/**
 * Looks up names, and a control name of their DNS service. Probes do not need DNS: other machines may have a hosts file.
 * @returns at most one finding
 */
export async function resolutionWarnings(hosts: string[], ingress: IngressAddress, prober: Prober): Promise<Finding[]> {
  const asked = namesToAsk(hosts)
  const resolutions = await prober.resolve(asked)
  const found = new Map(asked.map((name, index) => [name, resolutions[index] ?? { addresses: [] }]))
  return warningsOf(hosts, found, ingress)
}

/** The names, and the control names of their DNS services. */
export function namesToAsk(hosts: string[]): string[] {
  return [...new Set([...hosts, ...hosts.map(controlOf).filter((name) => name !== undefined)])]
}

function controlOf(host: string): string | undefined {
  const service = addressService(host)
  return service === undefined ? undefined : `${CONTROL}.${service}`
}

function warningsOf(hosts: string[], found: Map<string, Resolution>, ingress: IngressAddress): Finding[] {
  const verdicts = hosts.map((host) => ({ host, fault: faultOf(host, found, ingress) }))
  const astray = verdicts.filter(({ fault }) => fault !== undefined)
  // Mostly all names of a domain have the same fault. Otherwise a wrong answer tells more than a missing one.
  const fault = (['elsewhere', 'filtered', 'unknown', 'no-dns'] as const).find((one) =>
    astray.some((verdict) => verdict.fault === one),
  )
  if (fault === undefined) return []
  const names = astray.map(({ host }) => host)
  const addresses = names.flatMap((name) => found.get(name)?.addresses ?? [])
  const message = `${names.join(', ')}: ${wordsFor(fault, names, [...new Set(addresses)], ingress)}`
  return [warns('DNS_UNRESOLVED', message, remedyFor(names, ingress))]
}

function faultOf(host: string, found: Map<string, Resolution>, ingress: IngressAddress): Fault | undefined {
  const { addresses = [], failure } = found.get(host) ?? {}
  // A host name stands for the present addresses of a load balancer, so any address may be right.
  const leads = (one: string) => ingress.kind === 'hostname' || ipAddresses(ingress).includes(canonicalAddress(one))
  if (addresses.some(leads)) return undefined
  if (addresses.length > 0) return 'elsewhere'
  const control = controlOf(host)
  if (control === undefined) return failure === 'no-dns' ? 'no-dns' : 'unknown'
  return (found.get(control)?.addresses ?? []).length > 0 ? 'filtered' : 'no-dns'
}

function wordsFor(fault: Fault, names: string[], addresses: string[], { address }: IngressAddress): string {
  const zone = addressService(names[0] ?? '') ?? 'them'
  return {
    elsewhere: `resolved to ${addresses.join(', ')} on this machine, not to ${address}`,
    filtered: `not resolved on this machine: its DNS resolves other names of ${zone}, but filters out ${address} (rebinding protection)`,
    'no-dns': `not resolved on this machine: no DNS answers for ${zone} here (offline, or an isolated network)`,
    unknown: 'not resolved on this machine: its DNS has no such name',
  }[fault]
}

function remedyFor(names: string[], { address, kind }: IngressAddress): string {
  if (kind === 'hostname') return `make them aliases (CNAME) of ${address}`
  const line = `add this line to /etc/hosts: ${address} ${names.join(' ')}`
  const ofService = names.some((name) => addressService(name) !== undefined)
  return ofService
    ? `--domain example.com, with names that resolve to ${address}; or ${line}`
    : `let DNS resolve them to ${address}, or ${line}`
}

/** Whether kubectl telemetry derived the domain from an address. Then it must report if the domain does not resolve. */
export function isDefault(domain: string, named: string | undefined): boolean {
  return named === undefined && addressesIn(domain).length > 0
}
