/** What the Gateways of kubectl telemetry serve: exposed add-ons, their URLs and guards. Changes nothing. */
import type { Guards } from '../access/guard.ts'
import { isGuardedAsPlanned } from '../access/guard-plan.ts'
import { guardsIn, listPathIn, type UnreadPart, unreadIn } from '../access/guard-reader.ts'
import { authorizersFailingOpen } from '../access/login-checks.ts'
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { componentOf } from '../cluster/ownership.ts'
import { type IngressAddress, outsidePort } from '../gateways/address.ts'
import { type ExposedRoute, exposedRoutes } from '../gateways/exposed-routes.ts'
import type { IngressGateway } from '../gateways/find.ts'
import { domainOf, isSecure, layoutInUse, schemePort, secretNameIn } from '../gateways/layout.ts'
import { urlOf } from '../gateways/names.ts'
import type { OwnObjects } from '../gateways/own-objects.ts'
import { findGatewayBehind } from '../gateways/survey.ts'
import { type Exposure, hostAt, serviceHostsOf } from './spec.ts'

export interface ExposedGateway {
  namespace: string
  /** Left out when no Service leads to its pods. */
  gateway?: IngressGateway
  /** Left out when the gateway has no address outside the cluster. */
  address?: IngressAddress
  /** Whether the hosts that share a port are served over HTTPS. */
  secure: boolean
  /** The TLS Secret, for HTTPS. */
  secretName?: string
  routes: ExposedRoute[]
  /** One for each route. */
  exposures: Exposure[]
  /** Left out without permission to read them. */
  guards?: Guards
  /** External authorizers of these guards that are skipped while they do not answer. */
  failOpen: string[]
  /** By add-on: the path that its allow list denies to everybody. */
  listPaths: Readonly<Record<string, string | undefined>>
  /** Objects of guards that cannot be read. */
  unread: readonly UnreadPart[]
  /** Add-ons whose guard is not what this version writes. */
  differing: readonly string[]
}

/** The mesh in which the objects are. */
interface Mesh {
  /** Of Istio's networking API. */
  version: string
  services: Service[]
  /** `--ingress-ip`. */
  named: string | undefined
}

/** Sorted by namespace. @param own objects that are believed */
export async function describeExposed(
  { gateways, virtualServices: routes = [], policies, filters }: OwnObjects,
  { version, services, named }: Mesh,
  cluster: Cluster,
): Promise<ExposedGateway[]> {
  const guards = policies && filters && [...policies, ...filters]
  const found = await Promise.all(
    gateways.map(async (object) => {
      const { namespace = '' } = object.metadata
      const behind = await findGatewayBehind(object, services, named, cluster)
      const isHere = ({ metadata }: KubeObject) => metadata.namespace === namespace
      const place = describe(object, exposedRoutes(routes.filter(isHere)), behind)
      const objects = guards?.filter(isHere)
      const here = objects && guardsIn(objects)
      return {
        ...place,
        ...(here === undefined ? {} : { guards: here }),
        failOpen: behind === undefined ? [] : await authorizersFailingOpen(here ?? {}, behind.gateway, cluster),
        listPaths: listPathsIn(objects ?? []),
        unread: unreadIn(objects ?? []),
        differing: objects === undefined ? [] : differingIn(objects, object, { ...place, istioVersion: version }),
      }
    }),
  )
  return found.sort((a, b) => a.namespace.localeCompare(b.namespace))
}

function listPathsIn(objects: readonly KubeObject[]): ExposedGateway['listPaths'] {
  const addons = [...new Set(objects.map((one) => componentOf(one) ?? ''))]
  return Object.fromEntries(
    addons.map((addon) => [addon, listPathIn(objects.filter((one) => componentOf(one) === addon))]),
  )
}

/** Where each exposure has a port of its own. */
const NO_LAYOUT = { name: 'hosts', secure: true } as const

/** Not known without the gateway's pods. */
function differingIn(
  objects: readonly KubeObject[],
  own: KubeObject,
  { gateway, routes, istioVersion }: Pick<ExposedGateway, 'gateway' | 'routes'> & { istioVersion: string },
): string[] {
  const inUse = layoutInUse(own) ?? NO_LAYOUT
  if (gateway === undefined) return []
  const guarding = { guards: guardsIn(objects), objects }
  return routes.flatMap((route) => {
    const { name: addon, host, port = schemePort(inUse.secure), own: ownPort } = route
    const layout = { ...inUse, domain: domainOf(route) ?? '' }
    const place = { istioVersion, gateway, layout, serviceHosts: serviceHostsOf(routes) }
    return isGuardedAsPlanned({ name: addon, host, port, own: ownPort }, guarding, place) ? [] : [addon]
  })
}

function describe(
  object: KubeObject,
  routes: ExposedRoute[],
  behind: Awaited<ReturnType<typeof findGatewayBehind>>,
): Omit<ExposedGateway, 'guards' | 'failOpen' | 'listPaths' | 'unread' | 'differing'> {
  const layout = layoutInUse(object) ?? NO_LAYOUT
  const { secure } = layout
  const { gateway, address } = behind ?? {}
  const secretName = secretNameIn(object)
  const portOf = (number: number) =>
    gateway === undefined || address === undefined ? undefined : outsidePort(address, gateway.service, number)
  return {
    namespace: object.metadata.namespace ?? '',
    ...(gateway === undefined ? {} : { gateway }),
    ...(address === undefined ? {} : { address }),
    secure,
    ...(secretName === undefined ? {} : { secretName }),
    routes,
    exposures: routes.map((route) => {
      const { name: addon, port: number, backend } = route
      const isHttps = isSecure(route, layout)
      const host = address === undefined ? route.host : hostAt(route.host, address)
      const port = portOf(number ?? schemePort(isHttps))
      const { namespace, service, port: servicePort, path } = backend
      const url = urlOf({ host, port, path, secure: isHttps })
      return { name: addon, namespace, service, servicePort, host, secure: isHttps, port, path, url }
    }),
  }
}
