/** Whether the names of an exposure lead to the gateway on this machine: a hop of its own, and often the user's to mend. */
import { type IngressAddress, ipAddresses } from '../gateways/address.ts'
import { addressService, canonicalAddress } from '../gateways/address-domain.ts'
import type { Prober, Resolution } from '../probing/prober.ts'
import type { Warning } from '../world.ts'

/** What is wrong with a name: it leads elsewhere, its DNS service answers other names, no DNS answers, or it is in no DNS. */
type Fault = 'elsewhere' | 'filtered' | 'no-dns' | 'unknown'

/** A public address, which no filter takes out of an answer: it tells a filter against private ones from no DNS at all. */
const CONTROL = '8-8-8-8'

/**
 * Looks names up, beside a control of their DNS service. Probes and certificates do without: names may be in a hosts file elsewhere.
 * @returns at most one
 */
export async function resolutionWarnings(hosts: string[], ingress: IngressAddress, prober: Prober): Promise<Warning[]> {
  const asked = namesToAsk(hosts)
  const resolutions = await prober.resolve(asked)
  const found = new Map(asked.map((name, index) => [name, resolutions[index] ?? { addresses: [] }]))
  return warningsOf(hosts, found, ingress)
}

/** The names, and the control that their verdict needs. */
export function namesToAsk(hosts: string[]): string[] {
  return [...new Set([...hosts, ...hosts.map(controlOf).filter((name) => name !== undefined)])]
}

function controlOf(host: string): string | undefined {
  const service = addressService(host)
  return service === undefined ? undefined : `${CONTROL}.${service}`
}

function warningsOf(hosts: string[], found: Map<string, Resolution>, ingress: IngressAddress): Warning[] {
  const verdicts = hosts.map((host) => ({ host, fault: faultOf(host, found, ingress) }))
  const astray = verdicts.filter(({ fault }) => fault !== undefined)
  // All names of a domain mostly have one fault; where not, what was answered tells more than that nothing was.
  const fault = (['elsewhere', 'filtered', 'unknown', 'no-dns'] as const).find((one) =>
    astray.some((verdict) => verdict.fault === one),
  )
  if (fault === undefined) return []
  const names = astray.map(({ host }) => host)
  const addresses = names.flatMap((name) => found.get(name)?.addresses ?? [])
  const message = `${names.join(', ')}: ${wordsFor(fault, names, [...new Set(addresses)], ingress)}`
  return [{ code: 'DNS_UNRESOLVED', message, remedy: remedyFor(names, ingress) }]
}

function faultOf(host: string, found: Map<string, Resolution>, ingress: IngressAddress): Fault | undefined {
  const { addresses = [], failure } = found.get(host) ?? {}
  // Behind a host name are the load balancer's addresses of the moment, in any order: whatever is found may be one.
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
    filtered: `not resolved on this machine, though its DNS answers other such names: it filters ${address} out (rebinding protection)`,
    'no-dns': `not resolved on this machine: no DNS answers for ${zone} here (offline, or a network of its own)`,
    unknown: 'not resolved on this machine: its DNS has no such name',
  }[fault]
}

function remedyFor(names: string[], { address, kind }: IngressAddress): string {
  if (kind === 'hostname') return `make them aliases (CNAME) of ${address}`
  const line = `add this line to /etc/hosts: ${address} ${names.join(' ')}`
  const ofService = names.some((name) => addressService(name) !== undefined)
  return ofService
    ? `--domain example.com, with names that lead to ${address}; or ${line}`
    : `make them lead to ${address} in DNS, or ${line}`
}
