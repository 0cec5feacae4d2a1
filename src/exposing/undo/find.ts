/** Which objects of exposures are in the cluster. */

import { guardKinds } from '../../access/guard-plan.ts'
import { whyNotEdited } from '../../changes/reach.ts'
import type { FoundObject } from '../../changes/undo.ts'
import type { Cluster, KubeObject, Resource } from '../../cluster/cluster.ts'
import { appliedFields, changedBy, componentOf, EXPOSING, FORMER_LINKED, isOwnedBy } from '../../cluster/ownership.ts'
import { findIstioVersion, listOwned, readable, type Sifted, sift } from '../../cluster/reading.ts'
import {
  CERT_MANAGER,
  CERTIFICATES,
  CONFIG_MAPS,
  gateways,
  SECRETS,
  SERVICES,
  virtualServices,
} from '../../cluster/resources.ts'
import { whyNotExposing } from '../../gateways/made-by-exposing.ts'
import { gatewayNamespaces } from '../../gateways/places.ts'
import { TLS_SECRET_NAME } from '../../manifests/names.ts'

/** What was exposed at some moment. */
export interface Inventory {
  /** `NAMESPACE/ADDON` */
  addons: Set<string>
  /** Namespaces with any object of an exposure. */
  namespaces: Set<string>
}

export async function takeInventory(cluster: Cluster): Promise<Inventory> {
  const [{ ours: owned }, shared] = await Promise.all([findOwned(cluster, true), findShared(cluster)])
  return {
    addons: new Set(owned.filter(({ object }) => componentOf(object) !== undefined).map(placeOf)),
    namespaces: new Set([...owned, ...(shared?.ours ?? [])].map(namespaceOf)),
  }
}

/**
 * The objects that exposing created, in the order in which they are removed: the Gateway, its routes, their guards, the TLS Secret
 * (without its data). A user who may not list guards has created none, since nothing is guarded without that right. Copies of them and
 * objects that only have their labels are findings.
 * @param partial a user who may not list Secrets looks for the TLS Secret in the namespaces of the other objects
 */
export async function findOwned(cluster: Cluster, partial = false): Promise<Sifted<FoundObject>> {
  const claimed = await findClaimed(cluster, partial)
  const places = await gatewayNamespaces(
    claimed.map(({ object }) => object),
    cluster,
  )
  return sift(
    claimed,
    ({ object }) => object,
    (object) => whyNotExposing(object, places),
  )
}

async function findClaimed(cluster: Cluster, partial: boolean): Promise<FoundObject[]> {
  const version = await findIstioVersion(cluster)
  // Only Secrets have content that should stay where it is.
  const list = (resource: Resource) => listOwned(cluster, resource, EXPOSING, { metadataOnly: resource === SECRETS })
  const issuing = (await cluster.servedVersions(CERT_MANAGER)).includes(CERTIFICATES.version)
  const serving = version === undefined ? [] : [gateways(version), virtualServices(version)]
  // A user who may not list these has created none. cert-manager creates its Secret again for as long as the Certificate exists.
  const optional = [...(version === undefined ? [] : guardKinds(version)), ...(issuing ? [CERTIFICATES] : [])]
  const kinds = [...serving, ...optional]
  const [secrets, ...lists] = await Promise.all([
    partial ? readable(list(SECRETS)) : list(SECRETS),
    ...kinds.map((resource) => (optional.includes(resource) ? readable(list(resource)) : list(resource))),
  ])
  const found = kinds.flatMap((resource, index) => (lists[index] ?? []).map((object) => ({ resource, object })))
  const beside = secrets ?? (await secretsBeside(found, cluster))
  return [...found, ...beside.map((object) => ({ resource: SECRETS, object }))]
}

async function secretsBeside(found: FoundObject[], cluster: Cluster): Promise<KubeObject[]> {
  const namespaces = [...new Set(found.map(namespaceOf))]
  const read = namespaces.map((namespace) => cluster.get(SECRETS, { name: TLS_SECRET_NAME, namespace }))
  return (await Promise.all(read)).filter(
    (secret) => secret !== undefined && isOwnedBy(secret, EXPOSING),
  ) as KubeObject[]
}

/** Services to which exposing added ports. `undefined` when they may not be listed. */
export async function findShared(cluster: Cluster): Promise<Sifted<FoundObject> | undefined> {
  const services = await readable(cluster.list(SERVICES, { metadataOnly: true }))
  const claimed = services
    ?.filter((object) => appliedFields(object, EXPOSING) !== undefined)
    .map((object) => ({ resource: SERVICES, object }))
  return (
    claimed &&
    sift(
      claimed,
      ({ object }) => object,
      (object) => whyNotEdited(object, EXPOSING),
    )
  )
}

/** ConfigMaps of Kiali in which exposing set links, each once. `undefined` when they may not be listed. */
export async function findLinks(cluster: Cluster): Promise<KubeObject[] | undefined> {
  const marked = [changedBy(EXPOSING), FORMER_LINKED]
  const lists = await readable(
    Promise.all(marked.map((labels) => cluster.list(CONFIG_MAPS, { labels, metadataOnly: true }))),
  )
  const found = lists?.flat()
  return found?.filter(({ metadata }, index) => found.findIndex((one) => one.metadata.uid === metadata.uid) === index)
}

export function addonOf({ object }: FoundObject): string {
  return componentOf(object) ?? ''
}

export function placeOf(one: FoundObject): string {
  return `${namespaceOf(one)}/${addonOf(one)}`
}

export function namespaceOf({ object }: FoundObject): string {
  return object.metadata.namespace ?? ''
}
