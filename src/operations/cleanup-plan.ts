/** What a cleanup takes away and gives back. It finds everything in the cluster, so any machine can do it. */
import type { AddonChoice } from '../addons/catalog.ts'
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { appliedFields, componentOf, OWNED } from '../cluster/ownership.ts'
import {
  CERT_MANAGER,
  CERTIFICATES,
  CONFIG_MAPS,
  gateways,
  SECRETS,
  SERVICES,
  virtualServices,
} from '../cluster/resources.ts'
import type { Change } from './changes.ts'
import type { Dependencies, Warning } from './dependencies.ts'
import { findDocumentedSetup } from './documented-setup.ts'
import { LINKED_LABEL, linkedAddons } from './links.ts'
import { findIstioVersion, readable } from './reading.ts'
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
  /** Where Istio's page was followed by hand: what it made there goes too. */
  documentedSetup?: string | undefined
}

type Needs = Pick<Dependencies, 'cluster' | 'authorities' | 'clock' | 'random' | 'generateKey' | 'machine'>

export async function planCleanup(choice: CleanupChoice, dependencies: Needs): Promise<CleanupPlan> {
  const { cluster } = dependencies
  const { names, named } = choice.addons
  const [owned, foundShared, foundLinks, documented] = await Promise.all([
    findOwned(cluster),
    findShared(cluster),
    findLinks(cluster),
    findDocumented(choice, cluster),
  ])
  const [shared, links] = [foundShared ?? [], foundLinks ?? []]
  const warnings = [...notSearched('Services', foundShared), ...notSearched('ConfigMaps', foundLinks)]
  const plan: CleanupPlan = { restores: [], links: [], before: [], deletes: documented, after: [], warnings }
  if (!named) {
    plan.deletes.push(...owned)
    plan.restores = await planRestores(cluster, shared)
    plan.links = links
    return plan
  }
  const going = owned.filter(({ object }) => names.includes(componentOf(object) ?? ''))
  plan.warnings.push(...notExposed(names, going))
  plan.links = links.filter((configMap) => ['kiali', ...linkedAddons(configMap)].some((name) => names.includes(name)))
  for (const namespace of new Set(going.map(({ object }) => object.metadata.namespace ?? ''))) {
    const isHere = ({ object }: Owned) => object.metadata.namespace === namespace
    const here = { owned: owned.filter(isHere), shared: shared.filter(isHere), going: going.filter(isHere) }
    await planNamespace(namespace, here, plan, dependencies)
  }
  return plan
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
  plan.deletes.push(...going)
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

/** Everything of ours, in the order in which it is removed: the Gateway, its routes, the TLS Secret (without its data). */
export async function findOwned(cluster: Cluster): Promise<Owned[]> {
  const version = await findIstioVersion(cluster)
  const issuing = (await cluster.servedVersions(CERT_MANAGER)).includes(CERTIFICATES.version)
  // cert-manager makes a Secret anew for as long as there is the Certificate.
  const kinds = [
    ...(version === undefined ? [] : [gateways(version), virtualServices(version)]),
    ...(issuing ? [CERTIFICATES] : []),
    SECRETS,
  ]
  const lists = await Promise.all(
    kinds.map((resource) => {
      const listed = cluster.list(resource, { labels: OWNED, metadataOnly: true })
      // Who may not list them has not asked for any.
      return resource === CERTIFICATES ? readable(listed) : listed
    }),
  )
  return kinds.flatMap((resource, index) => (lists[index] ?? []).map((object) => ({ resource, object })))
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
