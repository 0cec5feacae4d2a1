/** Reads that several operations make. */
import { UserError } from '../errors.ts'
import type { Cluster, KubeObject, ListOptions, Resource } from './cluster.ts'
import type { Service } from './objects.ts'
import { ISTIO_NETWORKING, ISTIO_VERSIONS, SERVICES } from './resources.ts'

/** What the user may not read is unknown, not fatal. */
export async function readable<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof UserError && error.code === 'FORBIDDEN') return undefined
    throw error
  }
}

/** Objects of a kind that others have defined: of an API group a cluster may have some kinds and not others. */
export async function listIfServed<T extends KubeObject>(
  cluster: Cluster,
  resource: Resource,
  options: ListOptions = {},
): Promise<T[]> {
  try {
    return await cluster.list<T>(resource, options)
  } catch (error) {
    if (error instanceof UserError && error.code === 'NOT_FOUND') return []
    throw error
  }
}

/** The newest version of Istio's networking API that we know and the cluster serves, if any. */
export async function findIstioVersion(cluster: Cluster): Promise<string | undefined> {
  const served = await cluster.servedVersions(ISTIO_NETWORKING)
  return ISTIO_VERSIONS.find((known) => served.includes(known))
}

/** @throws UserError ISTIO_NOT_FOUND */
export async function requireIstioVersion(cluster: Cluster): Promise<string> {
  const version = await findIstioVersion(cluster)
  if (version !== undefined) return version
  const message = `the cluster of context "${cluster.context}" has no Istio: it does not serve ${ISTIO_NETWORKING}`
  throw new UserError('ISTIO_NOT_FOUND', message, {
    suggestions: ['istioctl install', '--context NAME   # another cluster'],
  })
}

/** Every Service of the cluster: one read serves the search for add-ons and for gateways. */
export function readServices(cluster: Cluster): Promise<Service[]> {
  return cluster.list<Service>(SERVICES)
}
