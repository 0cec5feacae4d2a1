import { type Finding, warns } from '../findings.ts'
import { addressInUse, type IngressAddress, ipAddresses, resolvedAddress } from '../gateways/address.ts'
import { addressDomain, addressesIn } from '../gateways/address-domain.ts'
import { domainInUse, type ExposedRoute, stillInUse } from '../gateways/exposed-routes.ts'
import { domainRequired, requireDomain } from '../gateways/names.ts'
import type { Prober } from '../probing/prober.ts'
import { complaintOf } from '../terminal/complaint.ts'
import type { Dependencies } from '../world.ts'
import { namesToAsk } from './resolution.ts'

type Needs = Pick<Dependencies, 'prober' | 'terminal'>

export interface ChosenDomain {
  domain: string
  /** An IP address, if the domain is derived from one. */
  address: IngressAddress
  warnings: Finding[]
}

/**
 * Starts the DNS lookups that the choice of the domain and the final check need, while other reads are in progress.
 * @param hostsIn the hosts that would be exposed in a domain
 */
export function lookAhead(
  address: IngressAddress,
  hostsIn: (domain: string) => string[],
  prober: Prober,
): IngressAddress {
  const domain = addressDomain(address.address)
  if (domain !== undefined) void prober.resolve(namesToAsk(hostsIn(domain)))
  else if (address.kind === 'hostname') void prober.resolve([address.address])
  return address
}

/**
 * @param named `--domain`
 * @throws UserError DOMAIN_REQUIRED
 */
export async function chooseDomain(
  named: string | undefined,
  exposed: readonly ExposedRoute[],
  address: IngressAddress,
  world: Needs,
): Promise<ChosenDomain> {
  const inUse = domainInUse(exposed)
  const own = named ?? (inUse !== undefined && addressesIn(inUse).length === 0 ? inUse : undefined)
  if (own !== undefined) return { domain: own, address, warnings: [] }
  if (address.kind === 'hostname') return domainOfBalancer(address, inUse, world)
  // The address from --ingress-ip is used even if the gateway has others.
  const has = ipAddresses(address.via === 'flag' ? { ...address, others: [] } : address)
  const chosen = domainFor(inUse, address, has)
  if (chosen !== undefined) return { ...chosen, warnings: [] }
  const why = `the gateway's address ${address.address} has a zone, which no default domain can express`
  return { domain: await askDomain(address, why, world), address, warnings: [] }
}

/**
 * The domain in use with its address, if the gateway still has that address; otherwise a domain derived from the found address.
 * @param has the addresses to which names may resolve
 */
function domainFor(
  inUse: string | undefined,
  found: IngressAddress,
  has: string[],
): Omit<ChosenDomain, 'warnings'> | undefined {
  const domain = stillInUse(inUse, has)
  if (domain !== undefined) {
    const names = addressesIn(domain).filter((address) => has.includes(address))
    return { domain, address: addressInUse(found, names) }
  }
  const made = addressDomain(found.address)
  return made === undefined ? undefined : { domain: made, address: found }
}

/** A load balancer of AWS has only a name. A domain derived from its present addresses works until they change. */
async function domainOfBalancer(named: IngressAddress, inUse: string | undefined, world: Needs): Promise<ChosenDomain> {
  const [{ addresses, failure } = { addresses: [] }] = await world.prober.resolve([named.address])
  const resolved = resolvedAddress(named, addresses)
  const chosen = resolved && domainFor(inUse, resolved, ipAddresses(resolved))
  if (chosen === undefined) {
    // Without addresses, nothing shows whether the domain in use is outdated.
    if (inUse !== undefined) return { domain: inUse, address: named, warnings: [] }
    const cause =
      failure === 'no-dns'
        ? 'no DNS answers'
        : 'DNS does not know the name yet; for a new load balancer this takes some minutes'
    const why = `the gateway has no IP address, only the host name ${named.address}, which does not resolve on this machine (${cause}), so there is no default domain`
    return { domain: await askDomain(named, why, world), address: named, warnings: [] }
  }
  return { ...chosen, warnings: [mayChange(named.address, chosen.address.address)] }
}

function mayChange(name: string, address: string): Finding {
  return warns(
    'ADDRESS_MAY_CHANGE',
    `${address} is one of the current addresses of ${name}; a load balancer's addresses change, and then the URLs stop working`,
    `--domain example.com   # stays valid, with an alias (CNAME) from *.example.com to ${name}`,
  )
}

async function askDomain(
  { address, kind }: IngressAddress,
  why: string,
  { terminal }: Pick<Needs, 'terminal'>,
): Promise<string> {
  if (terminal.interactive)
    return requireDomain(await terminal.input(`Domain whose names resolve to ${address}:`, complaintOf(requireDomain)))
  const record =
    kind === 'hostname' ? `an alias (CNAME) from *.example.com to ${address}` : `names that resolve to ${address}`
  throw domainRequired(why, [`--domain example.com   # with ${record}`])
}
