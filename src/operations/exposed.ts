/** What is exposed already, read from our VirtualServices: pure. The truth about what we made is in the cluster. */
import type { KubeObject } from '../cluster/cluster.ts'
import { componentOf, isOwned } from '../cluster/ownership.ts'
import { nipDomain } from '../gateways/names.ts'

/** An add-on that has a host, and the VirtualService that says so. */
export interface ExposedRoute {
  addon: string
  host: string
  path: string
  object: KubeObject
}

interface RouteSpec {
  hosts?: string[]
  http?: { redirect?: { uri?: string } }[]
}

/** @param virtualServices those of the gateway's namespace, anybody's */
export function exposedRoutes(virtualServices: KubeObject[]): ExposedRoute[] {
  return virtualServices.filter(isOwned).flatMap((object) => {
    const { hosts = [], http = [] } = object.spec as RouteSpec
    const [addon, host] = [componentOf(object), hosts[0]]
    const path = http.find(({ redirect }) => redirect?.uri !== undefined)?.redirect?.uri ?? '/'
    return addon === undefined || host === undefined ? [] : [{ addon, host, path, object }]
  })
}

/** The domain in use, unless it is a nip.io domain of an address that the gateway no longer has. */
export function domainInUse(routes: ExposedRoute[], address: string): string | undefined {
  const domain = routes.map(domainOf).find((one) => one !== undefined)
  const current = nipDomain(address)
  const outdated = domain?.endsWith('.nip.io') && domain !== current && !domain.endsWith(`.${current}`)
  return outdated ? undefined : domain
}

/** `example.com` of `grafana.example.com`. */
export function domainOf({ addon, host }: Pick<ExposedRoute, 'addon' | 'host'>): string | undefined {
  return host.startsWith(`${addon}.`) ? host.slice(addon.length + 1) : undefined
}

/** The same route under another host: our fields only, as they are applied. */
export function rehosted({ object }: ExposedRoute, host: string): KubeObject {
  const { apiVersion, kind, metadata, spec } = object
  const { name, namespace = '', labels = {} } = metadata
  return { apiVersion, kind, metadata: { name, namespace, labels }, spec: { ...(spec as object), hosts: [host] } }
}

/**
 * Whether what is there is what was planned: a route for each of these hosts, no other, and a Gateway that lists just them. A host
 * that was not planned for is another run's, whose certificate ours may have replaced.
 * @param present Gateways and the VirtualServices of our Gateway's namespace
 */
export function isWhole(present: KubeObject[], hosts: string[]): boolean {
  const routed = exposedRoutes(present.filter(({ kind }) => kind === 'VirtualService')).map(({ host }) => host)
  const gateway = present.find((object) => object.kind === 'Gateway' && isOwned(object))
  const { servers = [] } = (gateway?.spec ?? {}) as { servers?: { hosts: string[] }[] }
  const listed = servers.flatMap((server) => server.hosts)
  const planned = [...hosts].sort().join()
  return routed.sort().join() === planned && listed.sort().join() === planned
}
