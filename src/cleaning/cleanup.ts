/** Removes exactly what is ours, gives back what we changed, and looks again. */
import { restartedBy, unlink } from '../addons/kiali-links.ts'
import { applyChanges, type Change, type ObjectOutcome, outcomeOf, rehearse } from '../changes/changes.ts'
import { Progress } from '../changes/progress.ts'
import { type Cluster, type KubeObject, kindName } from '../cluster/cluster.ts'
import { isOwned } from '../cluster/ownership.ts'
import { CONFIG_MAPS, DEPLOYMENTS } from '../cluster/resources.ts'
import { UserError, usageError } from '../errors.ts'
import {
  type CleanupChoice,
  type CleanupPlan,
  findDocumented,
  findLinks,
  findOwned,
  findShared,
  isPartial,
  type Owned,
  planCleanup,
} from '../exposing/undo/undo.ts'
import { cleanupScraping } from '../scraping/undo.ts'
import type { Dependencies, Warning } from '../world.ts'

export interface CleanupRequest extends CleanupChoice {
  /** The authorities kept on this machine go too, those of other clusters as well. */
  certificates?: boolean
  /** Secure scraping instead of what is exposed. */
  scraping?: { timeout: number } | undefined
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
}

export interface RemovedObject {
  kind: string
  group: string
  namespace: string
  name: string
}

export interface CleanupResult {
  outcome: 'planned' | 'declined' | 'applied'
  deleted: RemovedObject[]
  /** Others' objects, from which our fields were taken. */
  restored: RemovedObject[]
  /** What the add-ons that stay exposed share with those that went: hosts taken off the Gateway and the certificate. */
  changed: ObjectOutcome[]
  /** Directories with authorities that were removed from this machine. */
  authorities: string[]
  /** Should be gone, and is still there: somebody makes it anew, or a finalizer holds it. */
  remaining: RemovedObject[]
  warnings: Warning[]
}

type Needs = Pick<Dependencies, 'cluster' | 'terminal' | 'authorities' | 'clock' | 'random' | 'generateKey' | 'machine'>

/** @throws UserError CONSENT_REQUIRED, FORBIDDEN, CERTIFICATES_IN_USE, SCRAPING_ALONE (exit 2) */
export async function cleanup(request: CleanupRequest, dependencies: Needs): Promise<CleanupResult> {
  const { cluster, authorities } = dependencies
  if (request.scraping !== undefined) return scrapingAlone(request, request.scraping.timeout, dependencies)
  if (request.certificates && isPartial(request)) {
    const message =
      '--certificates removes what the other add-ons are served with; it goes with a cleanup of everything'
    throw usageError('CERTIFICATES_IN_USE', message, ['cleanup --certificates'])
  }
  const plan = await planCleanup(request, dependencies)
  const { deletes, restores } = plan
  const kept = request.certificates ? await authorities.list() : []
  const result = (outcome: CleanupResult['outcome'], remaining: Owned[]): CleanupResult => ({
    outcome,
    deleted: outcome === 'declined' ? [] : deletes.map(nameOf),
    restored: outcome === 'declined' ? [] : [...restores.map(changedName), ...plan.links.flatMap(unlinkedNames)],
    changed: outcome === 'declined' ? [] : [...plan.before, ...plan.after].map(outcomeOf),
    authorities: outcome === 'declined' ? [] : kept.map(({ directory }) => directory),
    remaining: remaining.map(nameOf),
    warnings: plan.warnings,
  })
  if (request.dryRun === 'server') await rehearseAll(cluster, plan)
  if (request.dryRun !== 'none') return result('planned', [])
  if (deletes.length + restores.length + plan.links.length + kept.length === 0) return result('applied', [])
  if (!(await confirmed(plan, kept, request.yes, dependencies))) return result('declined', deletes)
  const progress = new Progress()
  const remaining = await progress.telling(() => apply(request, plan, progress, cluster))
  for (const { domain } of kept) await authorities.remove(domain)
  return result('applied', remaining)
}

function scrapingAlone(request: CleanupRequest, timeout: number, dependencies: Needs): Promise<CleanupResult> {
  if (!request.addons.named) return cleanupScraping({ ...request, timeout }, dependencies)
  const message =
    '--scraping is about workloads and Prometheus, not about add-ons that are exposed; it goes without names'
  throw usageError('SCRAPING_ALONE', message, ['cleanup --scraping', 'cleanup   # what is exposed'])
}

/** @returns what is still there that should be gone */
async function apply(
  request: CleanupRequest,
  plan: CleanupPlan,
  progress: Progress,
  cluster: Cluster,
): Promise<Owned[]> {
  for (const { metadata } of plan.links)
    await unlink(cluster, { name: metadata.name, namespace: metadata.namespace ?? '' }, progress)
  await applyChanges(cluster, [...plan.restores, ...plan.before], progress)
  await deleteAll(cluster, plan.deletes, progress)
  await applyChanges(cluster, plan.after, progress)
  const tried = new Set(plan.deletes.map(({ object }) => object.metadata.uid))
  for (let attempt = 0; ; attempt++) {
    const remaining = await findRemaining(request, tried, cluster)
    // Made anew while we deleted: another run was at work, and its objects lack those that we took.
    const anew = remaining.filter(({ object }) => isOwned(object) && !tried.has(object.metadata.uid))
    if (anew.length === 0 || attempt === 5) return remaining
    await deleteAll(cluster, anew, progress)
    for (const one of anew) tried.add(one.object.metadata.uid)
    plan.deletes.push(...anew.filter((one) => !plan.deletes.some((other) => isSame(one, other))))
  }
}

function isSame(one: Owned, other: Owned): boolean {
  const [a, b] = [nameOf(one), nameOf(other)]
  return a.kind === b.kind && a.namespace === b.namespace && a.name === b.name
}

/** Whether the exit code is 0: nothing was declined, and nothing is left that should be gone. */
export function succeeded({ outcome, remaining }: CleanupResult): boolean {
  return outcome !== 'declined' && remaining.length === 0
}

async function findRemaining(
  request: CleanupRequest,
  tried: Set<string | undefined>,
  cluster: Cluster,
): Promise<Owned[]> {
  const partial = isPartial(request)
  const [owned, shared = [], links = [], documented] = await Promise.all([
    findOwned(cluster, partial),
    partial ? [] : findShared(cluster),
    partial ? [] : findLinks(cluster),
    findDocumented(request, cluster),
  ])
  const still = owned.filter(({ object }) => !partial || tried.has(object.metadata.uid))
  return [...still, ...shared, ...links.map((object) => ({ resource: CONFIG_MAPS, object })), ...documented]
}

async function rehearseAll(cluster: Cluster, { restores, before, deletes, after }: CleanupPlan): Promise<void> {
  await rehearse(cluster, [...restores, ...before, ...after])
  await Promise.all(deletes.map(({ resource, object }) => cluster.delete(resource, object, { dryRun: true })))
}

async function confirmed(
  { restores, links, before, deletes, after }: CleanupPlan,
  kept: { directory: string }[],
  yes: boolean,
  { terminal }: Needs,
): Promise<boolean> {
  if (yes) return true
  const saying =
    (what: string) =>
    ({ kind, namespace, name }: RemovedObject) =>
      `${kind} ${namespace}/${name}: ${what}`
  const lines = [
    ...deletes.map(nameOf).map(saying('delete')),
    ...restores.map(changedName).map(saying('take our part of it back')),
    ...links.flatMap(unlinkedNames).map(saying('take our links back')),
    ...[...before, ...after].map(changedName).map(saying('change')),
    ...kept.map(({ directory }) => `authority ${directory}: delete from this machine`),
  ]
  const count = `${lines.length} object${lines.length === 1 ? '' : 's'}`
  if (!terminal.interactive) {
    throw new UserError(
      'CONSENT_REQUIRED',
      `${count} would be deleted or changed, and there is no terminal to ask on`,
      {
        suggestions: ['-y', '--dry-run=client   # shows them'],
      },
    )
  }
  for (const line of lines) terminal.note(`  ${line}`)
  return terminal.confirm(`Clean up these ${count}?`)
}

/** In order: what serves goes first, so that no host is served with half of its objects. */
async function deleteAll(cluster: Cluster, owned: Owned[], progress: Progress): Promise<void> {
  for (const { resource, object } of owned) {
    await cluster.delete(resource, object)
    progress.deleted(`${kindName(resource)}/${object.metadata.name}`)
  }
}

function nameOf({ resource, object }: Owned): RemovedObject {
  const { name, namespace = '' } = object.metadata
  return { kind: resource.kind, group: resource.group, namespace, name }
}

/** The ConfigMap, and the Deployment that is restarted. */
function unlinkedNames(configMap: KubeObject): RemovedObject[] {
  const name = restartedBy(configMap)
  const { namespace = '' } = configMap.metadata
  return [
    nameOf({ resource: CONFIG_MAPS, object: configMap }),
    ...(name === undefined ? [] : [{ kind: DEPLOYMENTS.kind, group: DEPLOYMENTS.group, namespace, name }]),
  ]
}

function changedName({ resource, manifest }: Change): RemovedObject {
  return nameOf({ resource, object: manifest })
}
