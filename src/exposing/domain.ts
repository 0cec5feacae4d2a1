/** The domain of an exposure, and the address that goes with it: the named one, the one in use, or one made of the address. */
import { UserError } from '../errors.ts'
import { addressInUse, type IngressAddress, ipAddresses, resolvedAddress } from '../gateways/address.ts'
import { addressDomain, addressesIn } from '../gateways/address-domain.ts'
import { domainInUse, type ExposedRoute, stillInUse } from '../gateways/exposed-routes.ts'
import { requireDomain } from '../gateways/names.ts'
import { complaintOf } from '../gateways/survey.ts'
import type { Prober } from '../probing/prober.ts'
import type { Dependencies, Warning } from '../world.ts'
import { namesToAsk } from './resolution.ts'

export interface ChosenDomain {
  domain: string
  /** An IP address, where the domain is made of one. */
  address: IngressAddress
  warnings: Warning[]
}

/**
 * Begins, while other things are read, the lookups that the choice of the domain and its self-test will wait for.
 * @param hostsIn what is to be exposed in a domain
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
  exposed: ExposedRoute[],
  address: IngressAddress,
  dependencies: Pick<Dependencies, 'prober' | 'terminal'>,
): Promise<ChosenDomain> {
  const inUse = domainInUse(exposed)
  const own = named ?? (inUse !== undefined && addressesIn(inUse).length === 0 ? inUse : undefined)
  if (own !== undefined) return { domain: own, address, warnings: [] }
  if (address.kind === 'hostname') return domainOfBalancer(address, inUse, dependencies)
  // An address that was named is the one to use, whatever others the gateway has.
  const has = ipAddresses(address.via === 'flag' ? { ...address, others: [] } : address)
  const chosen = keeping(inUse, address, has)
  if (chosen !== undefined) return { ...chosen, warnings: [] }
  const why = `the gateway's address ${address.address} has a zone, which no default domain can express`
  return { domain: await askDomain(address, why, dependencies), address, warnings: [] }
}

/**
 * The domain in use and the address it was made of, as long as the gateway has that; else a domain of the address found.
 * @param has the addresses that names may lead to
 */
function keeping(
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

/** A load balancer of AWS has a name alone: the addresses behind it make a domain for a while. */
async function domainOfBalancer(
  named: IngressAddress,
  inUse: string | undefined,
  dependencies: Pick<Dependencies, 'prober' | 'terminal'>,
): Promise<ChosenDomain> {
  const [{ addresses, failure } = { addresses: [] }] = await dependencies.prober.resolve([named.address])
  const resolved = resolvedAddress(named, addresses)
  const chosen = resolved && keeping(inUse, resolved, ipAddresses(resolved))
  if (chosen === undefined) {
    // Whether the domain in use is outdated cannot be told here.
    if (inUse !== undefined) return { domain: inUse, address: named, warnings: [] }
    const cause =
      failure === 'no-dns' ? 'no DNS answers' : 'its DNS has no such name, as is so for minutes after it was made'
    const why = `the gateway has no IP address but the host name ${named.address}, which does not resolve on this machine (${cause}), so there is no default domain`
    return { domain: await askDomain(named, why, dependencies), address: named, warnings: [] }
  }
  return { ...chosen, warnings: [mayChange(named.address, chosen.address.address)] }
}

function mayChange(name: string, address: string): Warning {
  return {
    code: 'ADDRESS_MAY_CHANGE',
    message: `${address} is an address of ${name} at the moment; a load balancer's addresses change, and the URLs then lead nowhere`,
    remedy: `--domain example.com   # lasting, with an alias (CNAME) from *.example.com to ${name}`,
  }
}

async function askDomain(
  { address, kind }: IngressAddress,
  why: string,
  { terminal }: Pick<Dependencies, 'terminal'>,
): Promise<string> {
  if (terminal.interactive)
    return requireDomain(await terminal.input(`Domain whose names lead to ${address}:`, complaintOf(requireDomain)))
  const record =
    kind === 'hostname' ? `an alias (CNAME) from *.example.com to ${address}` : `names that lead to ${address}`
  throw new UserError('DOMAIN_REQUIRED', why, { suggestions: [`--domain example.com   # with ${record}`] })
}
