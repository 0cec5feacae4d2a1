/** Takes hosts off what several add-ons share: the Gateway's list and the certificate's names. */
import type { KubeObject } from '../cluster/cluster.ts'
import type { Secret } from '../cluster/objects.ts'
import { gateways, SECRETS, virtualServices } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { gateway as gatewayManifest } from '../manifests/gateway.ts'
import { GATEWAY_NAME, TLS_SECRET_NAME } from '../manifests/names.ts'
import { tlsSecret } from '../manifests/tls-secret.ts'
import { type Change, planChanges } from './changes.ts'
import type { Dependencies, Warning } from './dependencies.ts'
import { domainOf, exposedRoutes } from './exposed.ts'
import { requireCertificates } from './serving-certificate.ts'

export interface Shrinking {
  gateway: Change[]
  secret: Change[]
  warnings: Warning[]
}

type Needs = Pick<Dependencies, 'cluster' | 'authorities' | 'clock' | 'random' | 'generateKey'>

/**
 * @param version of Istio's networking API
 * @param staying names of the VirtualServices that stay
 */
export async function planShrinking(
  namespace: string,
  version: string,
  staying: string[],
  dependencies: Needs,
): Promise<Shrinking> {
  const { cluster } = dependencies
  const [gateway, secret, all] = await Promise.all([
    cluster.get(gateways(version), { name: GATEWAY_NAME, namespace }),
    cluster.get<Secret>(SECRETS, { name: TLS_SECRET_NAME, namespace }),
    cluster.list(virtualServices(version), { namespace }),
  ])
  const routes = exposedRoutes(all).filter(({ object }) => staying.includes(object.metadata.name))
  const hosts = routes.map(({ host }) => host).sort()
  const domain = routes.map(domainOf).find((one) => one !== undefined)
  return {
    gateway: gateway === undefined ? [] : shrunkGateway(gateway, version, hosts),
    ...(await reissued(namespace, domain, hosts, secret, dependencies)),
  }
}

function shrunkGateway(present: KubeObject, version: string, hosts: string[]): Change[] {
  const resource = gateways(version)
  const { selector } = present.spec as { selector: Record<string, string> }
  const { namespace = '' } = present.metadata
  return planChanges([{ resource, manifest: gatewayManifest(resource, { namespace, selector, hosts }) }], [present])
}

/** Only the machine that has the authority can reissue; elsewhere the certificate goes on with names that nothing serves. */
async function reissued(
  namespace: string,
  domain: string | undefined,
  hosts: string[],
  present: Secret | undefined,
  dependencies: Needs,
): Promise<Pick<Shrinking, 'secret' | 'warnings'>> {
  if (domain === undefined || present === undefined) return { secret: [], warnings: [] }
  try {
    if ((await dependencies.authorities.find(domain)) === undefined)
      return certificateKept(`the authority of ${domain} is not on this machine`)
    const { leaf, authority } = await requireCertificates(domain, hosts, present, dependencies)
    const manifest = tlsSecret({ namespace, ...leaf, authorityCertificate: authority.certificate })
    return { secret: planChanges([{ resource: SECRETS, manifest }], [present]), warnings: [] }
  } catch (error) {
    // An authority that is of no use must not keep an add-on exposed.
    if (error instanceof UserError && error.code.startsWith('AUTHORITY_')) return certificateKept(error.message)
    throw error
  }
}

function certificateKept(why: string): Pick<Shrinking, 'secret' | 'warnings'> {
  const remedy = 'harmless; run kubectl telemetry expose on the machine that has the authority to reissue it'
  return {
    secret: [],
    warnings: [{ code: 'CERTIFICATE_KEPT', message: `${why}, so the certificate keeps the names that went`, remedy }],
  }
}
