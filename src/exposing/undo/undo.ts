/** How exposures are undone: all of them, those of named add-ons, those whose time is over, or those of one run. */

import type { AddonChoice } from '../../addons/catalog.ts'
import { linkedAddons, restoreLinks } from '../../addons/kiali-links.ts'
import { serviceNamed, titleOf } from '../../addons/service-name.ts'
import type { Change } from '../../changes/changes.ts'
import { invalidRecords, isEdited } from '../../changes/edits.ts'
import { type FoundObject, notSearched, type Undo, type UndoPlan, type UndoStep } from '../../changes/undo.ts'
import type { Cluster, KubeObject } from '../../cluster/cluster.ts'
import type { Service } from '../../cluster/objects.ts'
import { componentOf, EXPOSING, expiryOf } from '../../cluster/ownership.ts'
import { type Sifted, sift } from '../../cluster/reading.ts'
import { CONFIG_MAPS, SERVICES } from '../../cluster/resources.ts'
import { type Finding, notes } from '../../findings.ts'
import { exposedRoutes } from '../../gateways/exposed-routes.ts'
import { whyNotOurPorts } from '../../gateways/service-ports.ts'
import { serverTime } from '../../time/server-time.ts'
import type { Dependencies } from '../../world.ts'
import { clockFindings } from '../terms.ts'
import { addonOf, findLinks, findOwned, findShared, type Inventory, namespaceOf, placeOf } from './find.ts'
import { RemovedRoutes } from './removed-routes.ts'
import { planOwnPorts, planShrinking } from './shrink.ts'

export interface ExposureChoice {
  /** Named add-ons: the others stay exposed. All add-ons: every exposure is undone. */
  addons: AddonChoice
  /** Of those, only add-ons whose time is over. */
  expired?: boolean | undefined
  /** Of those, only add-ons that were not exposed at an earlier look. What they share is removed with the last of them. */
  since?: Inventory | undefined
  /** Of those, only routes to these Services (`NAMESPACE/NAME`), and what an interrupted run left without a route. */
  services?: ReadonlySet<string> | undefined
}

type Needs = Pick<Dependencies, 'cluster' | 'authorities' | 'clock' | 'random' | 'generateKey' | 'machine' | 'prober'>

/** Whether an exposure may stay. */
export function isPartial(choice: Pick<ExposureChoice, 'addons' | 'expired'>): boolean {
  return choice.addons.named || choice.expired === true
}

function leavesSome(choice: ExposureChoice): boolean {
  return isPartial(choice) || choice.since !== undefined || choice.services !== undefined
}

/** @param findMore further objects to delete, before the others: those that a user created from Istio's page */
export function undoExposures(
  choice: ExposureChoice,
  needs: Needs,
  findMore: () => Promise<Sifted<FoundObject>> = async () => ({ ours: [], findings: [] }),
): Undo {
  const routes = new RemovedRoutes(needs)
  return {
    part: EXPOSING,
    plan: () => planUndo(choice, needs, findMore, (owned) => routes.remember(owned)),
    beforeDeleting: (next) => routes.awaitGone(next),
    remaining: (tried) => findRemaining(choice, tried, findMore, needs.cluster),
    deletesNewObjects: true,
    question: (objects) => `Clean up these ${objects}?`,
  }
}

/** The steps of one namespace, or of all: each list is taken before the next one. */
interface Phases {
  /** Fields that exposing added to users' objects: they lead to objects that are deleted afterwards. */
  restores: UndoStep[]
  /** Objects that stay and serve less: changed before the deletions, so that no host is served with half of its objects. */
  before: Change[]
  deletes: FoundObject[]
  /** Objects that stay and are changed after the deletions. */
  after: Change[]
  warnings: Finding[]
}

async function planUndo(
  choice: ExposureChoice,
  needs: Needs,
  findMore: () => Promise<Sifted<FoundObject>>,
  remember: (owned: readonly FoundObject[]) => void,
): Promise<UndoPlan> {
  const { cluster } = needs
  const [{ ours: owned, findings }, services, configMaps, more] = await Promise.all([
    findOwned(cluster, leavesSome(choice)),
    findShared(cluster),
    findLinks(cluster),
    findMore(),
  ])
  remember(owned)
  const shared = services?.ours ?? []
  const links = (configMaps ?? []).filter((object) => isEdited(object, EXPOSING))
  const unread = [
    ...findings,
    ...(choice.expired ? clockFindings(cluster.clockAhead) : []),
    ...(services?.findings ?? []),
    ...more.findings,
    ...unlisted('Services', services?.ours),
    ...unlisted('ConfigMaps', configMaps),
    ...invalidRecords(configMaps ?? [], EXPOSING),
  ]
  if (!leavesSome(choice)) {
    const all = { ...(await restorePorts(shared, cluster)), before: [], deletes: owned, after: [] }
    return ordered({ links, more: more.ours, unread }, [all], cluster)
  }
  const going = chosenOf(owned, choice, serverTime(needs))
  const named = choice.addons.named && !choice.expired
  const names = named ? choice.addons.names : going.map(addonOf)
  const linked = links.filter((one) => ['kiali', ...linkedAddons(one)].some((name) => names.includes(name)))
  const places = [...new Set([...going, ...interrupted(owned, shared, choice)].map(namespaceOf))]
  const phases = await Promise.all(
    places.map((namespace) => {
      const isHere = (one: FoundObject) => namespaceOf(one) === namespace
      const here = { owned: owned.filter(isHere), shared: shared.filter(isHere), going: going.filter(isHere) }
      return planNamespace(
        namespace,
        { ...here, isResumed: choice.services !== undefined && here.going.length === 0 },
        needs,
      )
    }),
  )
  const missing = named ? notExposed(names, going) : []
  return ordered({ links: linked, more: more.ours, unread: [...unread, ...missing] }, phases, cluster)
}

function ordered(
  { links, more, unread }: { links: KubeObject[]; more: FoundObject[]; unread: Finding[] },
  phases: Phases[],
  cluster: Cluster,
): UndoPlan {
  const change = (one: Change): UndoStep => ({ does: 'change', change: one })
  const deletion = (one: FoundObject): UndoStep => ({ does: 'delete', ...one })
  return {
    steps: [
      ...links.map((configMap) => restoreLinks(configMap, cluster)),
      ...phases.flatMap(({ restores }) => restores),
      ...phases.flatMap(({ before }) => before.map(change)),
      ...more.map(deletion),
      ...phases.flatMap(({ deletes }) => deletes.map(deletion)),
      ...phases.flatMap(({ after }) => after.map(change)),
    ],
    warnings: [...unread, ...phases.flatMap(({ warnings }) => warnings)],
  }
}

/** The objects of the add-ons that are no longer to be exposed. */
function chosenOf(owned: FoundObject[], choice: ExposureChoice, now: Date): FoundObject[] {
  const { addons, expired = false, since } = choice
  const over = new Set(owned.filter(({ object }) => isOver(object, now)).map(placeOf))
  const elsewhere = new Set(leadingElsewhere(owned, choice).map(placeOf))
  const isChosen = (name: string) =>
    addons.names.includes(name) || (expired && !addons.named && serviceNamed(name) !== undefined)
  return owned.filter((one) => {
    const addon = componentOf(one.object)
    if (addon === undefined) return since !== undefined && !since.namespaces.has(namespaceOf(one))
    return (
      isChosen(addon) &&
      !elsewhere.has(placeOf(one)) &&
      (!expired || over.has(placeOf(one))) &&
      (since === undefined || !since.addons.has(placeOf(one)))
    )
  })
}

/** A time that cannot be read counts as not over. @param now by the API server's clock, which set the time of expiry */
function isOver(object: KubeObject, now: Date): boolean {
  return Date.parse(expiryOf(object) ?? '') <= now.getTime()
}

/** Routes to other Services than those of the choice. */
function leadingElsewhere(owned: FoundObject[], { services }: ExposureChoice): FoundObject[] {
  if (services === undefined) return []
  return exposedRoutes(owned.filter(isRoute).map(({ object }) => object))
    .filter(({ backend }) => !services.has(`${backend.namespace}/${backend.service}`))
    .flatMap(({ object }) => owned.filter((one) => one.object === object))
}

function isRoute({ resource }: FoundObject): boolean {
  return resource.kind === 'VirtualService'
}

/**
 * What an interrupted run left. It wrote no more than ports of a Service in a namespace where nothing was exposed before; or it removed
 * routes, and not yet what they shared.
 */
function interrupted(owned: FoundObject[], shared: FoundObject[], choice: ExposureChoice): FoundObject[] {
  const { addons, expired, since, services } = choice
  const named = addons.named && expired !== true && since === undefined
  return [
    ...shared.filter((one) => since !== undefined && !since.namespaces.has(namespaceOf(one))),
    ...owned.filter(() => services !== undefined),
    ...(named ? withoutExposure(owned) : []),
  ]
}

/** Objects that exposures share, where no object of a single exposure is left: the last of them was removed, and they were not. */
function withoutExposure(owned: FoundObject[]): FoundObject[] {
  const places = new Set(owned.filter(({ object }) => componentOf(object) !== undefined).map(namespaceOf))
  return owned.filter((one) => !places.has(namespaceOf(one)))
}

/** In one namespace. */
interface Found {
  owned: FoundObject[]
  /** Services with ports of exposures. */
  shared: FoundObject[]
  going: FoundObject[]
  /** Nothing goes: it is looked at for what an interrupted run left. */
  isResumed: boolean
}

const NOTHING: Phases = { restores: [], before: [], deletes: [], after: [], warnings: [] }

async function planNamespace(
  namespace: string,
  { owned, shared, going, isResumed }: Found,
  needs: Needs,
): Promise<Phases> {
  const staying = owned.filter((one) => isRoute(one) && !going.includes(one))
  const [route] = staying
  if (route === undefined) {
    return { ...(await restorePorts(shared, needs.cluster)), before: [], deletes: owned, after: [] }
  }
  const names = staying.map(({ object }) => object.metadata.name)
  const services = shared.map(({ object }) => object.metadata)
  const place = { namespace, version: route.resource.version }
  const { serving, secret, warnings } = await planShrinking(place, { staying: names, services }, needs)
  // Only a certificate with names that no route has any more shows that an earlier run was interrupted.
  if (isResumed) return { ...NOTHING, after: secret.filter(({ action }) => action !== 'unchanged') }
  const deletes = going.filter(({ object }) => componentOf(object) !== undefined)
  return { restores: [], before: serving, deletes, after: secret, warnings }
}

/** Removes all ports that exposing added. */
async function restorePorts(shared: FoundObject[], cluster: Cluster): Promise<Pick<Phases, 'restores' | 'warnings'>> {
  const services = await Promise.all(shared.map(({ object }) => cluster.get<Service>(SERVICES, object.metadata)))
  const present = services.filter((service) => service !== undefined)
  const { ours, findings } = sift(present, (service) => service, whyNotOurPorts)
  return {
    restores: ours.map((object) => ({
      does: 'restore',
      resource: SERVICES,
      object,
      changes: planOwnPorts(object, []),
    })),
    warnings: findings,
  }
}

async function findRemaining(
  choice: ExposureChoice,
  tried: ReadonlySet<string>,
  findMore: () => Promise<Sifted<FoundObject>>,
  cluster: Cluster,
): Promise<FoundObject[]> {
  const partial = leavesSome(choice)
  const [{ ours: owned }, shared, links = [], more] = await Promise.all([
    findOwned(cluster, partial),
    partial ? undefined : findShared(cluster),
    partial ? [] : findLinks(cluster),
    findMore(),
  ])
  const still = owned.filter(({ object }) => !partial || tried.has(object.metadata.uid ?? ''))
  const linked = links.filter((object) => isEdited(object, EXPOSING))
  return [
    ...still,
    ...(shared?.ours ?? []),
    ...linked.map((object) => ({ resource: CONFIG_MAPS, object })),
    ...more.ours,
  ]
}

/** A user who may not list them has hardly changed them; another user may have. */
function unlisted(kinds: string, found: unknown[] | undefined): Finding[] {
  if (found !== undefined) return []
  return [
    notSearched(
      `could not list ${kinds}, so changes of --layout ports and --link in them were not searched for`,
      'run cleanup with the permissions in docs/rbac.md',
    ),
  ]
}

function notExposed(names: string[], going: FoundObject[]): Finding[] {
  const gone = going.map(({ object }) => componentOf(object))
  return names
    .filter((name) => !gone.includes(name))
    .map((name) =>
      notes(
        'NOT_EXPOSED',
        `${titleOf(name)} is not exposed`,
        'kubectl telemetry cleanup --dry-run=client   # shows all exposures',
      ),
    )
}
