/** Reads what an exposure builds on, and what is there already under the names and hosts it would use. */
import type { AddonChoice } from '../addons/catalog.ts'
import type { Cluster, KubeObject, ObjectName } from '../cluster/cluster.ts'
import { gateways, SECRETS, virtualServices } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { IngressAddress } from '../gateways/address.ts'
import { hostConflicts } from '../gateways/conflicts.ts'
import { nipDomain, requireDomain } from '../gateways/names.ts'
import { GATEWAY_NAME, TLS_SECRET_NAME } from '../manifests/names.ts'
import type { Dependencies, Warning } from './dependencies.ts'
import { domainInUse, exposedRoutes } from './exposed.ts'
import { type ExposureRequest, hostsOf } from './exposure-plan.ts'
import { readable, readServices, requireIstioVersion } from './reading.ts'
import { surveyAddons } from './survey-addons.ts'
import { complaintOf, requireGateway, requireIngressAddress, requireSecretsReadable } from './survey-gateway.ts'

/** What was asked for, as far as it says where things are. */
export interface Gathering {
  addons: AddonChoice
  /** Where the add-ons are; every namespace when left out. */
  namespace?: string | undefined
  domain?: string | undefined
  /** `--ingress-ip`. */
  ingressAddress?: string | undefined
  gateway?: Required<ObjectName> | undefined
}

export interface Gathered {
  gathered: ExposureRequest
  /** What is there already under the names that the plan may use. */
  present: KubeObject[]
  warnings: Warning[]
}

/** @throws UserError; see the codes in survey-addons.ts and survey-gateway.ts, and HOST_TAKEN, DOMAIN_REQUIRED */
export async function gather(request: Gathering, dependencies: Dependencies): Promise<Gathered> {
  const { cluster } = dependencies
  const [istioVersion, services] = await Promise.all([requireIstioVersion(cluster), readServices(cluster)])
  const { addons, warnings } = await surveyAddons(request.addons, services, request.namespace, dependencies)
  const gateway = await requireGateway(services, request.gateway, dependencies)
  const [address, present] = await Promise.all([
    requireIngressAddress(gateway, request.ingressAddress, dependencies),
    readPresent(cluster, istioVersion, gateway.namespace),
    requireSecretsReadable(gateway, cluster),
  ])
  const exposed = exposedRoutes(present.filter(({ kind }) => kind === 'VirtualService'))
  const domain = request.domain ?? domainInUse(exposed, address.address) ?? (await defaultDomain(address, dependencies))
  const gathered = { istioVersion, gateway, address, domain, addons, exposed }
  return { gathered, present, warnings: [...warnings, ...requireHostsFree(gathered, present)] }
}

/**
 * @returns a warning for each host that a wildcard of somebody else's served until now
 * @throws UserError HOST_TAKEN when another Gateway has the very host
 */
function requireHostsFree(gathered: ExposureRequest, present: KubeObject[]): Warning[] {
  const others = present.filter(({ kind }) => kind === 'Gateway')
  const conflicts = hostConflicts(hostsOf(gathered), gathered.gateway, others)
  const taken = conflicts.find(({ host, claim }) => host === claim)
  if (taken !== undefined) {
    throw new UserError(
      'HOST_TAKEN',
      `Gateway ${taken.gateway} serves ${taken.host} on port 443 already; of two, Istio would drop one silently`,
      {
        suggestions: [
          '--domain other.example.com',
          `kubectl -n ${taken.gateway.replace('/', ' get gateways.networking.istio.io ')} -o yaml`,
        ],
      },
    )
  }
  return conflicts.map(({ host, gateway, claim }) => ({
    code: 'HOST_COVERED',
    message: `Gateway ${gateway} claims ${claim} on port 443; for ${host} ours goes first`,
    remedy: 'if something is served there under that name, use another --domain',
  }))
}

/** Lists serve twice: they have what is ours, and whatever else bears a name or a host that we would use. */
async function readPresent(cluster: Cluster, istioVersion: string, namespace: string): Promise<KubeObject[]> {
  const [secret, serving] = await Promise.all([
    cluster.get(SECRETS, { name: TLS_SECRET_NAME, namespace }),
    readServing(cluster, istioVersion, namespace),
  ])
  return secret === undefined ? serving : [secret, ...serving]
}

/** Gateways, and the VirtualServices of a namespace. */
export async function readServing(cluster: Cluster, istioVersion: string, namespace: string): Promise<KubeObject[]> {
  const [found, routes] = await Promise.all([
    readGateways(cluster, istioVersion, namespace),
    cluster.list(virtualServices(istioVersion), { namespace }),
  ])
  return [...found, ...routes]
}

/** Those of the whole cluster, since any of them may claim our host; without the right to read them, our own. */
async function readGateways(cluster: Cluster, istioVersion: string, namespace: string): Promise<KubeObject[]> {
  const all = await readable(cluster.list(gateways(istioVersion)))
  if (all !== undefined) return all
  const own = await cluster.get(gateways(istioVersion), { name: GATEWAY_NAME, namespace })
  return own === undefined ? [] : [own]
}

/** nip.io answers `ANYTHING.192.0.2.10.nip.io` with 192.0.2.10; where it cannot, somebody has to say. */
async function defaultDomain({ address }: IngressAddress, { terminal }: Dependencies): Promise<string> {
  const domain = nipDomain(address)
  if (domain !== undefined) return domain
  if (terminal.interactive) {
    return requireDomain(await terminal.input(`Domain whose names lead to ${address}:`, complaintOf(requireDomain)))
  }
  throw new UserError(
    'DOMAIN_REQUIRED',
    `the gateway's address ${address} is no IPv4 address, so there is no default domain`,
    {
      suggestions: ['--domain example.com   # whose names lead to that address'],
    },
  )
}
