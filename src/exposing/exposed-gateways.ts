/** Our Gateways as they are: which add-ons are exposed there, at which URLs, behind which guards. Changes nothing. */
import type { Guards } from '../access/guard.ts'
import { readGuards } from '../access/guard-plan.ts'
import { guardsIn } from '../access/present.ts'
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { isOwned, OWNED } from '../cluster/ownership.ts'
import { gateways, virtualServices } from '../cluster/resources.ts'
import { type IngressAddress, outsidePort } from '../gateways/address.ts'
import { type ExposedRoute, exposedRoutes } from '../gateways/exposed-routes.ts'
import type { IngressGateway } from '../gateways/find.ts'
import { layoutInUse, schemePort, serversIn } from '../gateways/layout.ts'
import { urlOf } from '../gateways/names.ts'
import { findGatewayBehind } from '../gateways/survey.ts'
import type { Exposure } from './plan.ts'

export interface ExposedGateway {
  namespace: string
  /** Left out when no Service leads to its pods. */
  gateway?: IngressGateway
  /** Left out when the outside has no way to it. */
  address?: IngressAddress
  secure: boolean
  /** Of HTTPS. */
  secretName?: string
  routes: ExposedRoute[]
  /** Of each route. */
  exposures: Exposure[]
  /** Left out when they may not be read. */
  guards?: Guards
}

/** Sorted by namespace. @param named `--ingress-ip` */
export async function findExposedGateways(
  version: string,
  services: Service[],
  named: string | undefined,
  cluster: Cluster,
): Promise<ExposedGateway[]> {
  const [own, routes] = await Promise.all([
    cluster.list(gateways(version), { labels: OWNED }),
    cluster.list(virtualServices(version), { labels: OWNED }),
  ])
  const found = await Promise.all(
    own.filter(isOwned).map(async (object) => {
      const { namespace = '' } = object.metadata
      const [behind, guards] = await Promise.all([
        findGatewayBehind(object, services, named, cluster),
        readGuards(cluster, version, namespace),
      ])
      const here = exposedRoutes(routes.filter(({ metadata }) => metadata.namespace === namespace))
      return {
        ...describe(object, here, behind),
        ...(guards === undefined ? {} : { guards: guardsIn(guards) }),
      }
    }),
  )
  return found.sort((a, b) => a.namespace.localeCompare(b.namespace))
}

function describe(
  object: KubeObject,
  routes: ExposedRoute[],
  behind: Awaited<ReturnType<typeof findGatewayBehind>>,
): ExposedGateway {
  const secure = layoutInUse(object)?.secure ?? true
  const { gateway, address } = behind ?? {}
  const secretName = serversIn(object)
    .map(({ tls }) => tls?.credentialName)
    .find((name) => typeof name === 'string')
  const portOf = (number: number) =>
    gateway === undefined || address === undefined ? undefined : outsidePort(address, gateway.service, number)
  return {
    namespace: object.metadata.namespace ?? '',
    ...(gateway === undefined ? {} : { gateway }),
    ...(address === undefined ? {} : { address }),
    secure,
    ...(secretName === undefined ? {} : { secretName }),
    routes,
    exposures: routes.map(({ addon, host, port: number, backend }) => {
      const port = portOf(number ?? schemePort(secure))
      const { namespace, path } = backend
      return { addon, namespace, host, port, path, url: urlOf({ host, port, path, secure }) }
    }),
  }
}
