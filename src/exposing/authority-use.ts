/** For whom the CA of this machine works from now on: what `expose` records before the cluster gets a certificate. */
import { isSignedBy } from '../certificates/authority.ts'
import { type AuthorityUse, hostsAt } from '../certificates/authority-uses.ts'
import { isSecret, leafOf } from '../certifying/secret-content.ts'
import type { Certificates } from '../certifying/serving-certificate.ts'
import { type Finding, warns } from '../findings.ts'
import { addressesIn } from '../gateways/address-domain.ts'
import { domainInUse } from '../gateways/exposed-routes.ts'
import { gatewayName } from '../gateways/find.ts'
import { domainRequired } from '../gateways/names.ts'
import { sh } from '../shell.ts'
import type { Dependencies } from '../world.ts'
import type { Survey } from './gather.ts'
import type { ExposePlan } from './plan.ts'

/**
 * @param named `--domain`
 * @throws UserError DOMAIN_REQUIRED when only the cluster names a domain for which the CA has not worked there
 */
export async function planUse(
  named: string | undefined,
  { spec, present, cluster }: Survey,
  { authority, kept }: Certificates,
  { authorities }: Pick<Dependencies, 'authorities'>,
): Promise<{ use?: AuthorityUse; warnings: Finding[] }> {
  if (cluster === undefined) return { warnings: [] }
  const { domain } = authority
  const use = { cluster, gateway: gatewayName(spec.gateway), hosts: [...spec.hosts] }
  const uses = await authorities.usesOf(domain)
  if (!kept || hostsAt(uses, cluster, [use.gateway]).length > 0) return { use, warnings: [] }
  const leaf = present.filter(isSecret).map(leafOf)[0]
  // Earlier versions kept no record, but the Secret shows that the CA has signed for this gateway.
  const signedHere = uses.length === 0 && leaf !== undefined && isSignedBy(leaf, authority)
  const read = named === undefined && addressesIn(domain).length === 0 && domainInUse(spec.exposed) === domain
  if (read && !signedHere) {
    const message = `the cluster names the domain ${domain}, for which this machine has a CA that has not signed for gateway ${use.gateway} of this cluster`
    throw domainRequired(message, [sh`--domain ${domain}   # if the CA should sign for this gateway too`])
  }
  return { use, warnings: uses.length === 0 ? [] : [shared(domain, use, uses)] }
}

/** This machine remembers for whom its CA works, before the cluster gets a certificate. The CA is stored already. */
export async function recordUse(
  { use, certificates }: Pick<ExposePlan, 'use' | 'certificates'>,
  { authorities }: Pick<Dependencies, 'authorities'>,
): Promise<void> {
  if (use !== undefined && certificates !== undefined) await authorities.recordUse(certificates.authority.domain, use)
}

function shared(domain: string, { gateway }: AuthorityUse, uses: AuthorityUse[]): Finding {
  const others = [...new Set(uses.map((one) => `${one.gateway} of ${one.cluster.server}`))].join(', ')
  return warns(
    'CA_SHARED',
    `the CA of ${domain} has signed for ${others} before, and signs for gateway ${gateway} of this cluster now: clients cannot tell these apart`,
    '--domain other.example.com   # has a CA of its own',
  )
}
