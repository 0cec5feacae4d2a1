/**
 * For whom a CA of this machine signs. Whoever trusts the CA trusts what it signs, and its key is only here: so the record of this machine
 * decides, and nothing that the cluster says.
 */
import type { Authority } from '../certificates/authority.ts'
import { hostsAt } from '../certificates/authority-uses.ts'
import type { ClusterIdentity } from '../cluster/cluster.ts'
import { EXPOSING, requireOwned } from '../cluster/ownership.ts'
import { identify } from '../cluster/reading.ts'
import { SECRETS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { asFinding, type Finding } from '../findings.ts'
import { TLS_SECRET_NAME } from '../manifests/names.ts'
import { sh } from '../shell.ts'
import type { Dependencies } from '../world.ts'
import type { HttpsGateway } from './https-gateways.ts'
import { secretOf } from './report.ts'
import { requireAuthority } from './serving-certificate.ts'

type Needs = Pick<Dependencies, 'authorities' | 'clock'>

/** What decides whether this machine may sign for a Gateway. */
type Asking = Pick<HttpsGateway, 'namespace' | 'secretName' | 'secret' | 'services' | 'hosts' | 'domain'>

/** A Gateway for which this machine may sign, and the CA. */
interface Signable {
  gateway: HttpsGateway
  domain: string
  authority: Authority
}

/**
 * The Gateways for which this machine may sign. The others are findings and do not stop it.
 * @throws UserError the reason of the first one, when it may sign for none
 */
export async function findSignable(
  gateways: readonly HttpsGateway[],
  world: Needs & Pick<Dependencies, 'cluster'>,
): Promise<{ signable: Signable[]; warnings: Finding[] }> {
  if (gateways.length === 0) return { signable: [], warnings: [] }
  const cluster = await identify(world.cluster)
  const judged = await Promise.all(
    gateways.map(async (gateway) => {
      try {
        return { gateway, ...(await requireSignable(gateway, cluster, world)) }
      } catch (error) {
        return refusal(error)
      }
    }),
  )
  const signable = judged.flatMap((one) => (one instanceof UserError ? [] : [one]))
  const refused = judged.filter((one) => one instanceof UserError)
  if (signable.length === 0 && refused[0] !== undefined) throw refused[0]
  return { signable, warnings: refused.map((error) => asFinding(error, 'warns')) }
}

function refusal(error: unknown): UserError {
  if (error instanceof UserError) return error
  throw error
}

/** @throws UserError NOT_OURS, SECRET_NOT_OURS, CA_ELSEWHERE, CA_EXPIRED, CA_UNREADABLE, CA_NOT_FOR_GATEWAY */
export async function requireSignable(
  gateway: Asking,
  cluster: ClusterIdentity,
  { authorities, clock }: Needs,
): Promise<Omit<Signable, 'gateway'>> {
  const domain = requireOwnSecret(gateway)
  const authority = await requireAuthority(domain, gateway.secret, { authorities, clock })
  const known = hostsAt(await authorities.usesOf(domain), cluster, gateway.services)
  const others = gateway.hosts.filter((host) => !known.includes(host))
  if (others.length > 0) throw notRecorded(domain, others, gateway)
  return { domain, authority }
}

/**
 * Requires a Secret whose content kubectl telemetry creates.
 * @returns the domain of its hosts
 * @throws UserError NOT_OURS, SECRET_NOT_OURS
 */
function requireOwnSecret({ namespace, secretName, secret, domain }: Asking): string {
  requireOwned(SECRETS, secret, EXPOSING)
  const isTls = secret === undefined || secret.type === 'kubernetes.io/tls'
  if (domain !== undefined && secretName === TLS_SECRET_NAME && isTls) return domain
  throw new UserError('SECRET_NOT_OURS', `Secret ${namespace}/${secretName} was not created by kubectl telemetry`, {
    suggestions: ['replace its certificate with the tool that created it; the gateway then serves the new one'],
  })
}

function notRecorded(domain: string, hosts: string[], gateway: Asking): UserError {
  const [service] = gateway.services
  const where = service === undefined ? `the Gateway in namespace ${gateway.namespace}` : `gateway ${service}`
  const addons = hosts.map((host) => host.slice(0, -domain.length - 1)).filter((label) => label !== 'telemetry')
  const message = `this machine has not used its CA of ${domain} for ${hosts.join(', ')} at ${where} of this cluster, so it signed nothing for Secret ${secretOf(gateway)}`
  const expose = ['kubectl', 'telemetry', 'expose', ...addons, ...(service === undefined ? [] : ['--gateway', service])]
  return new UserError('CA_NOT_FOR_GATEWAY', message, {
    suggestions: [sh`${expose}   # if these are your add-ons: the machine then remembers it`],
  })
}
