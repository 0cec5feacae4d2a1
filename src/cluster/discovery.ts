/** Which kinds of objects namespaces can have: the API server's aggregated discovery, which Kubernetes has since 1.27. Pure. */
import { listOf, mapOf, textOf } from '../shapes.ts'
import { isPathSegment } from '../text.ts'
import type { Resource } from './cluster.ts'

/** https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery */
const ACCEPT = ['v2', 'v2beta1']
  .map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .join()

/** The requests: the core group, and the others. */
export const DISCOVERY = ['/api', '/apis'].map(
  (path) => ({ method: 'GET', path, accept: ACCEPT, what: `discover ${path}` }) as const,
)

/**
 * The kinds that can be listed in a namespace, in the version that the API server prefers.
 * @returns undefined if an answer does not name all: it is older, or an aggregated API does not answer
 */
export function namespacedIn(answers: readonly unknown[]): Resource[] | undefined {
  const lists = answers.map(mapOf)
  if (lists.some(({ kind, items }) => kind !== 'APIGroupDiscoveryList' || !Array.isArray(items))) return undefined
  const groups = lists.flatMap(({ items }) => listOf(items)).map(mapOf)
  const versions = groups.flatMap((group) => {
    const { name = '' } = mapOf(group.metadata)
    return listOf(group.versions).map((one) => ({ version: mapOf(one), group: name }))
  })
  if (versions.some(({ version: { freshness } }) => freshness === 'Stale')) return undefined
  const all = versions.flatMap(({ group, version: { version, resources } }) =>
    listOf(resources)
      .map(mapOf)
      .filter(isListable)
      .map((one) => resourceOf(one, { group, version })),
  )
  const known = all.filter((one) => one !== undefined)
  if (known.length < all.length) return undefined
  // A group lists its preferred version first.
  return known.filter((one, index) => index === known.findIndex((other) => isSameKind(one, other)))
}

function isListable({ scope, verbs }: Record<string, unknown>): boolean {
  return scope === 'Namespaced' && listOf(verbs).includes('list')
}

/** Its names become parts of a path, and an aggregated API chooses them. @returns undefined if they cannot */
function resourceOf(
  { resource, responseKind }: Record<string, unknown>,
  { group, version }: { group: unknown; version: unknown },
): Resource | undefined {
  const [groupName, versionName, plural, kind] = [group, version, resource, mapOf(responseKind).kind].map(textOf)
  if (groupName === undefined || versionName === undefined || plural === undefined || kind === undefined)
    return undefined
  const parts = [versionName, plural, ...(groupName === '' ? [] : [groupName])]
  const areParts = parts.every((part) => isPathSegment(part) && !part.includes('/'))
  return areParts ? { group: groupName, version: versionName, plural, kind } : undefined
}

function isSameKind(one: Resource, other: Resource): boolean {
  return one.group === other.group && one.plural === other.plural
}
