/** Common reads of the cluster. */

import type { Code } from '../codes.ts'
import { hasCode, UserError } from '../errors.ts'
import type { Finding } from '../findings.ts'
import type { Cluster, ClusterIdentity, KubeObject, ListOptions, Resource } from './cluster.ts'
import { isStaying, type Namespace, type Service } from './objects.ts'
import { isOwnedBy, OWNED, type Part } from './ownership.ts'
import { gateways, ISTIO_NETWORKING, ISTIO_VERSIONS, NAMESPACES, SERVICES } from './resources.ts'
import { notTrusted } from './trust.ts'

/** @returns undefined if the request fails with one of these codes. @throws all other errors */
async function unless<T>(asking: Promise<T>, ...codes: Code[]): Promise<T | undefined> {
  try {
    return await asking
  } catch (error) {
    if (hasCode(error, ...codes)) return undefined
    throw error
  }
}

/** @returns undefined without the permission to read */
export function readable<T>(reading: Promise<T>): Promise<T | undefined> {
  return unless(reading, 'FORBIDDEN')
}

/** @returns undefined if the request is forbidden or the object does not exist */
export function unlessRefused<T>(asking: Promise<T>): Promise<T | undefined> {
  return unless(asking, 'FORBIDDEN', 'NOT_FOUND')
}

/** Lists objects of a custom kind. @returns nothing if the cluster does not serve it: it may serve only some kinds of a group */
export async function listIfServed<T extends KubeObject>(
  cluster: Cluster,
  resource: Resource,
  options: ListOptions = {},
): Promise<T[]> {
  return (await unless(cluster.list<T>(resource, options), 'NOT_FOUND')) ?? []
}

/** Lists the objects of a kind that a part created. */
export async function listOwned<T extends KubeObject>(
  cluster: Cluster,
  resource: Resource,
  part: Part,
  options: Omit<ListOptions, 'labels'> = {},
): Promise<T[]> {
  const owned = await cluster.list<T>(resource, { ...options, labels: OWNED })
  return owned.filter((object) => isOwnedBy(object, part))
}

/** Objects that are believed, and one finding for each other object. */
export interface Sifted<T> {
  ours: T[]
  findings: Finding[]
}

/** @param whyNot why an object is not believed; `undefined` if it is */
export function sift<T, O extends KubeObject>(
  claimed: readonly T[],
  objectOf: (one: T) => O,
  whyNot: (object: O) => string | undefined,
): Sifted<T> {
  const judged = claimed.map((one) => ({ one, object: objectOf(one), why: whyNot(objectOf(one)) }))
  return {
    ours: judged.filter(({ why }) => why === undefined).map(({ one }) => one),
    findings: judged.flatMap(({ object, why }) => (why === undefined ? [] : [notTrusted(object, why)])),
  }
}

/** @returns the newest version of Istio's networking API that we support and the cluster serves, if any */
export async function findIstioVersion(cluster: Cluster): Promise<string | undefined> {
  const served = await cluster.servedVersions(ISTIO_NETWORKING)
  return ISTIO_VERSIONS.find((known) => served.includes(known))
}

/** @throws UserError ISTIO_NOT_FOUND */
export async function requireIstioVersion(cluster: Cluster): Promise<string> {
  const version = await findIstioVersion(cluster)
  if (version !== undefined) return version
  throw istioNotFound(cluster)
}

/**
 * As `requireIstioVersion`, for a command that reads all Gateways anyway: that they are served in the newest version is the answer, without
 * a request of its own. An answer 404 is an older version or no Istio; 403 comes before it, for a user who may not list them.
 * @param cluster one that remembers the list
 * @throws UserError ISTIO_NOT_FOUND
 */
export async function requireIstioVersionByGateways(cluster: Cluster): Promise<string> {
  const [newest] = ISTIO_VERSIONS
  const listed = await unlessRefused(cluster.list(gateways(newest)))
  return listed === undefined ? requireIstioVersion(cluster) : newest
}

export function istioNotFound({ context }: Cluster): UserError {
  const message = `the cluster of context "${context}" has no Istio: it does not serve ${ISTIO_NETWORKING}`
  return withoutIstio(message, [
    'istioctl install',
    '--context NAME   # another cluster',
    'kubectl telemetry port-forward   # needs no Istio',
  ])
}

/** For commands that need istiod itself. @param suggestions of that command */
export function istiodNotFound({ context }: Cluster, suggestions: string[]): UserError {
  return withoutIstio(`the cluster of context "${context}" has no Istio: no istiod is in it`, suggestions)
}

function withoutIstio(message: string, suggestions: string[]): UserError {
  return new UserError('ISTIO_NOT_FOUND', message, { suggestions })
}

/** Reads all Services in one request, to find add-ons and gateways in them. */
export function readServices(cluster: Cluster): Promise<Service[]> {
  return cluster.list<Service>(SERVICES)
}

/**
 * Leaves out candidates whose namespace is being deleted. Only the namespace itself shows that: its Services exist until its pods are
 * gone, and pods also terminate in a rollout. Candidates in only one namespace need no request.
 * @returns also the candidates in namespaces that cannot be read
 */
export async function inStayingNamespaces<T extends { namespace: string }>(found: T[], cluster: Cluster): Promise<T[]> {
  const names = [...new Set(found.map(({ namespace }) => namespace))]
  if (names.length < 2) return found
  const read = await Promise.all(names.map((name) => readable(cluster.get<Namespace>(NAMESPACES, { name }))))
  const ending = names.filter((_, index) => {
    const namespace = read[index]
    return namespace !== undefined && (!isStaying(namespace) || namespace.status?.phase === 'Terminating')
  })
  return found.filter(({ namespace }) => !ending.includes(namespace))
}

/** One request; without the right to it, only the kubeconfig decides which cluster it is. */
export async function identify(cluster: Cluster): Promise<ClusterIdentity> {
  const { server, verifiedBy } = cluster
  const uid = (await unlessRefused(cluster.get<Namespace>(NAMESPACES, { name: 'kube-system' })))?.metadata.uid
  return { ...(uid === undefined ? {} : { uid }), server, verifiedBy }
}

/** The UID comes from the API server itself, so it only counts together with what verifies that server. */
export function isSameCluster(one: ClusterIdentity, other: ClusterIdentity): boolean {
  if (one.verifiedBy !== other.verifiedBy) return false
  return one.uid === undefined || other.uid === undefined ? one.server === other.server : one.uid === other.uid
}
