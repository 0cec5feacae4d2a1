/** What a cleanup takes away and gives back. It finds everything in the cluster, so any machine can do it. */
import { guardKinds } from '../../access/guard-plan.ts'
import type { AddonChoice } from '../../addons/catalog.ts'
import { LINKED_LABEL, linkedAddons } from '../../addons/kiali-links.ts'
import type { Change } from '../../changes/changes.ts'
import { findDocumentedSetup } from '../../cleaning/documented-setup.ts'
import type { Cluster, KubeObject, Resource } from '../../cluster/cluster.ts'
import type { Service } from '../../cluster/objects.ts'
import { appliedFields, componentOf, expiryOf, isOwned, OWNED } from '../../cluster/ownership.ts'
import { findIstioVersion, readable } from '../../cluster/reading.ts'
import {
  CERT_MANAGER,
  CERTIFICATES,
  CONFIG_MAPS,
  gateways,
  SECRETS,
  SERVICES,
  virtualServices,
} from '../../cluster/resources.ts'
import { TLS_SECRET_NAME } from '../../manifests/names.ts'
import type { Dependencies, Warning } from '../../world.ts'
import { planOwnPorts, planShrinking } from './shrink.ts'

export interface Owned {
  resource: Resource
  object: KubeObject
}

export interface CleanupPlan {
  /** Fields that we added to others' objects: taken back first, since they lead to what goes then. */
  restores: Change[]
  /** ConfigMaps of Kiali with links of ours. */
  links: KubeObject[]
  /** What stays and serves less: before the deletes, so that no host is served with half of its objects. */
  before: Change[]
  /** In the order in which they go. */
  deletes: Owned[]
  /** What stays and is changed after the deletes. */
  after: Change[]
  warnings: Warning[]
}

export interface CleanupChoice {
  /** Named ones: the others stay exposed. All: everything goes. */
  addons: AddonChoice
  /** Of those, the ones whose time is over. */
  expired?: boolean | undefined
  /** Of those, the ones that were not there at an earlier look; what these share goes with the last of them. */
  since?: Inventory | undefined
  /** Where Istio's page was followed by hand: what it made there goes too. */
  documentedSetup?: string | undefined
}

/** What of ours was there at some moment. */
export interface Inventory {
  /** `NAMESPACE/ADDON` */
  addons: Set<string>
  /** Where anything of ours was. */
  namespaces: Set<string>
}

type Needs = Pick<Dependencies, 'cluster' | 'authorities' | 'clock' | 'random' | 'generateKey' | 'machine'>

/** Whether something of ours stays, whatever is found. */
export function isPartial({ addons, expired = false, since }: CleanupChoice): boolean {
  return addons.named || expired || since !== undefined
}

export async function takeInventory(cluster: Cluster): Promise<Inventory> {
  const [owned, shared] = await Promise.all([findOwned(cluster, true), findShared(cluster)])
  return {
    addons: new Set(owned.filter(({ object }) => componentOf(object) !== undefined).map(placeOf)),
    namespaces: new Set([...owned, ...(shared ?? [])].map(namespaceOf)),
  }
}

export async function planCleanup(choice: CleanupChoice, dependencies: Needs): Promise<CleanupPlan> {
  const { cluster } = dependencies
  const [owned, foundShared, foundLinks, documented] = await Promise.all([
    findOwned(cluster, isPartial(choice)),
    findShared(cluster),
    findLinks(cluster),
    findDocumented(choice, cluster),
  ])
  const [shared, links] = [foundShared ?? [], foundLinks ?? []]
  const warnings = [...notSearched('Services', foundShared), ...notSearched('ConfigMaps', foundLinks)]
  const plan: CleanupPlan = { restores: [], links: [], before: [], deletes: documented, after: [], warnings }
  if (!isPartial(choice)) {
    plan.deletes.push(...owned)
    plan.restores = await planRestores(cluster, shared)
    plan.links = links
    return plan
  }
  const going = chosenOf(owned, choice, dependencies.clock.now())
  const names = choice.expired || choice.since !== undefined ? going.map(addonOf) : choice.addons.names
  if (!choice.expired && choice.since === undefined) plan.warnings.push(...notExposed(names, going))
  plan.links = links.filter((configMap) => ['kiali', ...linkedAddons(configMap)].some((name) => names.includes(name)))
  for (const namespace of new Set([...going, ...left(shared, choice)].map(namespaceOf))) {
    const isHere = (one: Owned) => namespaceOf(one) === namespace
    const here = { owned: owned.filter(isHere), shared: shared.filter(isHere), going: going.filter(isHere) }
    await planNamespace(namespace, here, plan, dependencies)
  }
  return plan
}

/** The objects of the add-ons that go. */
function chosenOf(owned: Owned[], { addons, expired = false, since }: CleanupChoice, now: Date): Owned[] {
  const over = new Set(owned.filter(({ object }) => isOver(object, now)).map(placeOf))
  return owned.filter((one) => {
    const addon = componentOf(one.object)
    if (addon === undefined) return since !== undefined && !since.namespaces.has(namespaceOf(one))
    return (
      addons.names.includes(addon) &&
      (!expired || over.has(placeOf(one))) &&
      (since === undefined || !since.addons.has(placeOf(one)))
    )
  })
}

/** A time that cannot be read is not over: what was meant is not ours to guess. */
function isOver(object: KubeObject, now: Date): boolean {
  return Date.parse(expiryOf(object) ?? '') <= now.getTime()
}

/** Services with our ports where nothing of ours was: a run that was interrupted got no further. */
function left(shared: Owned[], { since }: CleanupChoice): Owned[] {
  return shared.filter((one) => since !== undefined && !since.namespaces.has(namespaceOf(one)))
}

function addonOf({ object }: Owned): string {
  return componentOf(object) ?? ''
}

function placeOf(one: Owned): string {
  return `${namespaceOf(one)}/${addonOf(one)}`
}

function namespaceOf({ object }: Owned): string {
  return object.metadata.namespace ?? ''
}

async function planNamespace(
  namespace: string,
  { owned, shared, going }: { owned: Owned[]; shared: Owned[]; going: Owned[] },
  plan: CleanupPlan,
  dependencies: Needs,
): Promise<void> {
  const staying = owned.filter((one) => one.resource.kind === 'VirtualService' && !going.includes(one))
  const [route] = staying
  if (route === undefined) {
    plan.deletes.push(...owned)
    plan.restores.push(...(await planRestores(dependencies.cluster, shared)))
    return
  }
  const names = staying.map(({ object }) => object.metadata.name)
  const services = shared.map(({ object }) => object.metadata)
  const shrinking = await planShrinking(namespace, route.resource.version, names, services, dependencies)
  plan.before.push(...shrinking.serving)
  plan.deletes.push(...going.filter(({ object }) => componentOf(object) !== undefined))
  plan.after.push(...shrinking.secret)
  plan.warnings.push(...shrinking.warnings)
}

/** One who may not list them has hardly changed them; another may have. */
function notSearched(kinds: string, found: unknown[] | undefined): Warning[] {
  if (found !== undefined) return []
  const message = `${kinds} could not be listed: what was added to them, by --layout ports or --link, was not looked for`
  return [{ code: 'NOT_SEARCHED', message, remedy: 'run cleanup with the rights in docs/rbac.md' }]
}

function notExposed(names: string[], going: Owned[]): Warning[] {
  const gone = going.map(({ object }) => componentOf(object))
  return names
    .filter((name) => !gone.includes(name))
    .map((name) => ({
      code: 'NOT_EXPOSED',
      message: `${name} is not exposed`,
      remedy: 'kubectl telemetry cleanup --dry-run=client   # shows everything of ours',
    }))
}

/**
 * Everything of ours, in the order in which it is removed: the Gateway, its routes, what guarded them, the TLS Secret (without its
 * data). Who may not list guards has none of their own, since nothing is guarded without that right.
 * @param partial whoever may not list Secrets looks for ours beside the rest of ours, where it alone can be needed
 */
export async function findOwned(cluster: Cluster, partial = false): Promise<Owned[]> {
  const version = await findIstioVersion(cluster)
  const list = (resource: Resource) => cluster.list(resource, { labels: OWNED, metadataOnly: true })
  const issuing = (await cluster.servedVersions(CERT_MANAGER)).includes(CERTIFICATES.version)
  const serving = version === undefined ? [] : [gateways(version), virtualServices(version)]
  // Who may not list these has not asked for any. cert-manager makes a Secret anew for as long as there is the Certificate.
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

async function secretsBeside(found: Owned[], cluster: Cluster): Promise<KubeObject[]> {
  const namespaces = [...new Set(found.map(namespaceOf))]
  const read = namespaces.map((namespace) => cluster.get(SECRETS, { name: TLS_SECRET_NAME, namespace }))
  return (await Promise.all(read)).filter((secret) => secret !== undefined && isOwned(secret)) as KubeObject[]
}

/** Objects of others in which fields are ours: Services with our ports. `undefined` when they may not be listed. */
export async function findShared(cluster: Cluster): Promise<Owned[] | undefined> {
  const services = await readable(cluster.list(SERVICES, { metadataOnly: true }))
  return services
    ?.filter((object) => appliedFields(object) !== undefined)
    .map((object) => ({ resource: SERVICES, object }))
}

/** ConfigMaps of Kiali with links of ours. `undefined` when they may not be listed. */
export function findLinks(cluster: Cluster): Promise<KubeObject[] | undefined> {
  return readable(cluster.list(CONFIG_MAPS, { labels: LINKED_LABEL, metadataOnly: true }))
}

async function planRestores(cluster: Cluster, shared: Owned[]): Promise<Change[]> {
  const services = await Promise.all(shared.map(({ object }) => cluster.get<Service>(SERVICES, object.metadata)))
  return services.filter((service) => service !== undefined).flatMap((service) => planOwnPorts(service, []))
}

export async function findDocumented({ documentedSetup }: CleanupChoice, cluster: Cluster): Promise<Owned[]> {
  const version = documentedSetup === undefined ? undefined : await findIstioVersion(cluster)
  if (documentedSetup === undefined || version === undefined) return []
  return findDocumentedSetup(cluster, version, documentedSetup)
}
