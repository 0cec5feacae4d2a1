/** Removes exactly what carries our label, and looks again. It finds everything in the cluster, so any machine can do it. */
import type { AddonChoice } from '../addons/catalog.ts'
import { type Cluster, type KubeObject, kindName, type Resource } from '../cluster/cluster.ts'
import { componentOf, OWNED } from '../cluster/ownership.ts'
import { gateways, SECRETS, virtualServices } from '../cluster/resources.ts'
import { halfDone, UserError } from '../errors.ts'
import { applyChanges, type Change, type ObjectOutcome, outcomeOf, rehearse } from './changes.ts'
import type { Dependencies, Warning } from './dependencies.ts'
import { findDocumentedSetup } from './documented-setup.ts'
import { findIstioVersion } from './reading.ts'
import { planShrinking } from './shrink.ts'

export interface CleanupRequest {
  /** Named ones: the others stay exposed. All: everything goes. */
  addons: AddonChoice
  /** Where Istio's page was followed by hand: what it made there goes too. */
  documentedSetup?: string | undefined
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
  /** What the add-ons that stay exposed share with those that went: hosts taken off the Gateway and the certificate. */
  changed: ObjectOutcome[]
  /** Should be gone, and is still there: somebody makes it anew, or a finalizer holds it. */
  remaining: RemovedObject[]
  warnings: Warning[]
}

interface Owned {
  resource: Resource
  object: KubeObject
}

interface CleanupPlan {
  /** In the order in which they go. */
  deletes: Owned[]
  /** Before the deletes: so that no host is served with half of its objects. */
  before: Change[]
  /** After them. */
  after: Change[]
  warnings: Warning[]
}

type Needs = Pick<Dependencies, 'cluster' | 'terminal' | 'authorities' | 'clock' | 'random' | 'generateKey'>

/** @throws UserError CONSENT_REQUIRED, FORBIDDEN */
export async function cleanup(request: CleanupRequest, dependencies: Needs): Promise<CleanupResult> {
  const { cluster } = dependencies
  const plan = await planCleanup(request, dependencies)
  const { deletes, warnings } = plan
  const result = (outcome: CleanupResult['outcome'], deleted: Owned[], remaining: Owned[]): CleanupResult => ({
    outcome,
    deleted: deleted.map(nameOf),
    changed: outcome === 'declined' ? [] : [...plan.before, ...plan.after].map(outcomeOf),
    remaining: remaining.map(nameOf),
    warnings,
  })
  if (request.dryRun === 'server') await rehearseAll(cluster, plan)
  if (request.dryRun !== 'none') return result('planned', deletes, [])
  if (deletes.length === 0) return result('applied', [], [])
  if (!(await confirmed(plan, request.yes, dependencies))) return result('declined', [], deletes)
  await applyChanges(cluster, plan.before)
  await deleteAll(cluster, deletes)
  await applyChanges(cluster, plan.after)
  const uids = new Set(deletes.map(({ object }) => object.metadata.uid))
  const owned = (await findOwned(cluster)).filter(
    ({ object }) => !request.addons.named || uids.has(object.metadata.uid),
  )
  return result('applied', deletes, [...owned, ...(await findDocumented(request, cluster))])
}

/** Whether the exit code is 0: nothing was declined, and nothing is left that should be gone. */
export function succeeded({ outcome, remaining }: CleanupResult): boolean {
  return outcome !== 'declined' && remaining.length === 0
}

async function planCleanup(request: CleanupRequest, dependencies: Needs): Promise<CleanupPlan> {
  const { names, named } = request.addons
  const owned = await findOwned(dependencies.cluster)
  const deletes = await findDocumented(request, dependencies.cluster)
  if (!named) return { deletes: [...deletes, ...owned], before: [], after: [], warnings: [] }
  const isGoing = ({ object }: Owned) => names.includes(componentOf(object) ?? '')
  const going = owned.filter(isGoing)
  const namespaces = [...new Set(going.map(({ object }) => object.metadata.namespace ?? ''))]
  const plan: CleanupPlan = { deletes, before: [], after: [], warnings: [] }
  for (const namespace of namespaces) {
    const here = owned.filter(({ object }) => object.metadata.namespace === namespace)
    const staying = here.filter((one) => one.resource.kind === 'VirtualService' && !isGoing(one))
    plan.deletes.push(...(staying.length === 0 ? here : here.filter(isGoing)))
    const [route] = staying
    if (route === undefined) continue
    const shrinking = await planShrinking(
      namespace,
      route.resource.version,
      staying.map(({ object }) => object.metadata.name),
      dependencies,
    )
    plan.before.push(...shrinking.gateway)
    plan.after.push(...shrinking.secret)
    plan.warnings.push(...shrinking.warnings)
  }
  return plan
}

async function findDocumented({ documentedSetup }: CleanupRequest, cluster: Cluster): Promise<Owned[]> {
  const version = documentedSetup === undefined ? undefined : await findIstioVersion(cluster)
  if (documentedSetup === undefined || version === undefined) return []
  return findDocumentedSetup(cluster, version, documentedSetup)
}

async function rehearseAll(cluster: Cluster, { deletes, before, after }: CleanupPlan): Promise<void> {
  await rehearse(cluster, [...before, ...after])
  await Promise.all(deletes.map(({ resource, object }) => cluster.delete(resource, object, { dryRun: true })))
}

async function confirmed({ deletes, before, after }: CleanupPlan, yes: boolean, { terminal }: Needs): Promise<boolean> {
  if (yes) return true
  if (!terminal.interactive) {
    throw new UserError(
      'CONSENT_REQUIRED',
      `${deletes.length} objects would be deleted, and there is no terminal to ask on`,
      {
        suggestions: ['-y', '--dry-run=client   # shows them'],
      },
    )
  }
  for (const { kind, namespace, name } of deletes.map(nameOf)) terminal.note(`  ${kind} ${namespace}/${name}: delete`)
  for (const { manifest } of [...before, ...after]) {
    terminal.note(`  ${manifest.kind} ${manifest.metadata.namespace}/${manifest.metadata.name}: change`)
  }
  return terminal.confirm(`Delete these ${deletes.length} objects?`)
}

/** In order: what serves goes first, so that no host is served with half of its objects. */
async function deleteAll(cluster: Cluster, owned: Owned[]): Promise<void> {
  for (const [index, { resource, object }] of owned.entries()) {
    try {
      await cluster.delete(resource, object)
    } catch (error) {
      const done = owned.slice(0, index).map(({ resource, object }) => `${kindName(resource)}/${object.metadata.name}`)
      throw halfDone(error, `deleted before that: ${done.join(', ')}`, done.length > 0)
    }
  }
}

/** Everything of ours, in the order in which it is removed: the Gateway, its routes, the TLS Secret (without its data). */
async function findOwned(cluster: Cluster): Promise<Owned[]> {
  const version = await findIstioVersion(cluster)
  const kinds = [...(version === undefined ? [] : [gateways(version), virtualServices(version)]), SECRETS]
  const lists = await Promise.all(
    kinds.map((resource) => cluster.list(resource, { labels: OWNED, metadataOnly: true })),
  )
  return kinds.flatMap((resource, index) => (lists[index] ?? []).map((object) => ({ resource, object })))
}

function nameOf({ resource, object }: Owned): RemovedObject {
  const { name, namespace = '' } = object.metadata
  return { kind: resource.kind, group: resource.group, namespace, name }
}
