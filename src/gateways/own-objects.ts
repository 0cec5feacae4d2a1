/** Reads all objects of exposures once, and judges which of them exposing made. Its readers never see the others. Changes nothing. */
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { appliedFields, EXPOSING } from '../cluster/ownership.ts'
import { listOwned, readable, sift } from '../cluster/reading.ts'
import {
  authorizationPolicies,
  ENVOY_FILTERS,
  gateways,
  SECRETS,
  SERVICES,
  virtualServices,
} from '../cluster/resources.ts'
import type { Finding } from '../findings.ts'
import { whyNotExposing, whyNotShared } from './made-by-exposing.ts'
import { gatewayNamespaces } from './places.ts'

/** Objects by kind; `undefined` if the kind may not be listed. Without Istio there may still be Secrets, and ports in Services. */
export interface OwnObjects {
  gateways: KubeObject[]
  virtualServices: KubeObject[] | undefined
  policies: KubeObject[] | undefined
  filters: KubeObject[] | undefined
  /** Without data: names are enough, and keys stay where they are. */
  secrets: KubeObject[] | undefined
  /** The users' Services to which exposing added ports. */
  services: Service[] | undefined
  /** One for each object that only says that exposing made it. */
  findings: Finding[]
}

/**
 * @param version of Istio's networking API, if it is served
 * @param namespace left out: all
 * @throws UserError FORBIDDEN if Gateways may not be listed
 */
export async function readOwnObjects(
  version: string | undefined,
  namespace: string | undefined,
  cluster: Cluster,
): Promise<OwnObjects> {
  const place = namespace === undefined ? {} : { namespace }
  const istio = async (kind: (version: string) => Resource) =>
    version === undefined ? [] : listOwned(cluster, kind(version), EXPOSING, place)
  const [own, routes, policies, filters, secrets, services] = await Promise.all([
    istio(gateways),
    readable(istio(virtualServices)),
    readable(istio(authorizationPolicies)),
    readable(istio(() => ENVOY_FILTERS)),
    readable(listOwned(cluster, SECRETS, EXPOSING, { ...place, metadataOnly: true })),
    readable(cluster.list<Service>(SERVICES, place)),
  ])
  const shared = services?.filter((service) => appliedFields(service, EXPOSING) !== undefined)
  const claimed = [own, routes, policies, filters, secrets, shared].flatMap((list) => list ?? [])
  const places = await gatewayNamespaces(claimed, cluster)
  const findings: Finding[] = []
  const believed = <T extends KubeObject>(objects: T[], why: (object: T) => string | undefined): T[] => {
    const sifted = sift(objects, (object) => object, why)
    findings.push(...sifted.findings)
    return sifted.ours
  }
  const made = (objects: KubeObject[]) => believed(objects, (object) => whyNotExposing(object, places))
  return {
    gateways: made(own),
    virtualServices: routes && made(routes),
    policies: policies && made(policies),
    filters: filters && made(filters),
    secrets: secrets && made(secrets),
    services: shared && believed(shared, (service) => whyNotShared(service, places)),
    findings,
  }
}
