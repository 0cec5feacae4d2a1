/** Opens the routes whose guard is in force, and closes those whose guard turns out to have no effect. */

import { isGuarded } from '../../access/guard.ts'
import { listPathIn } from '../../access/guard-reader.ts'
import { guardVersion } from '../../access/guard-version.ts'
import type { ProvidedSecret } from '../../certifying/provided-secret.ts'
import { applyChanges, type Change, isOfSameObject } from '../../changes/changes.ts'
import { Progress } from '../../changes/progress.ts'
import { RememberingCluster } from '../../cluster/remembering-cluster.ts'
import type { Finding } from '../../findings.ts'
import { closedRoute } from '../../manifests/virtual-service.ts'
import type { Dependencies } from '../../world.ts'
import type { ExposePlan } from '../plan.ts'
import { type Exposure, entryIn, exposuresOf } from '../spec.ts'
import { awaitDrained } from './drained.ts'
import { type Asking, type GuardProof, notUpdated, proveGuard, unproven, type Verdict } from './prove-guards.ts'
import { addonOf, type Stages } from './stages.ts'

/** What came of the routes that were closed. */
export interface Opening {
  /** Add-ons whose route stays closed. */
  closed: readonly string[]
  /** The last probe of each of these add-ons. */
  verdicts: Readonly<Record<string, Verdict>>
  /** The routes that were opened. */
  opened: readonly Change[]
  /** Why routes stay closed. */
  unproven: readonly Finding[]
}

interface Closed {
  plan: ExposePlan
  stages: Stages
  /** Of the first stage, with the new objects. */
  changes: readonly Change[]
  exposures: readonly Exposure[]
  providedSecret: ProvidedSecret | undefined
}

export async function openProven(written: Closed, progress: Progress, world: Dependencies): Promise<Opening> {
  const { plan, stages } = written
  const proofs = proofsOf(plan, written.exposures).filter(({ exposure }) => stages.closing.includes(exposure.name))
  if (proofs.length === 0) return { closed: [], verdicts: {}, opened: [], unproven: [] }
  const mesh = { gateway: plan.spec.gateway, cluster: new RememberingCluster(world.cluster) }
  const asking = { ...askingOf(plan, written.providedSecret, plan.request.timeout), mesh }
  const verdicts = await Promise.all(proofs.map((proof) => proveGuard(proof, asking, world)))
  const proven = proofs.filter((_, index) => verdicts[index]?.guard === 'in force').map(({ exposure }) => exposure.name)
  if (proven.length > 0) await awaitDrained(plan.spec, proven, world)
  const isProven = (change: Change) => proven.includes(addonOf(change))
  const open = stages.open.filter(isProven).map((change) => onlyThat(after(change, written.changes)))
  const opened = await applyChanges(world.cluster, open, progress)
  const last = stages.last.filter(isProven).map((change) => after(change, written.changes))
  await applyChanges(world.cluster, last, progress)
  const refused = proofs.flatMap((proof, index) => {
    const verdict = verdicts[index]
    return verdict === undefined || verdict.guard === 'in force' ? [] : [{ proof, verdict }]
  })
  return {
    closed: refused.map(({ proof }) => proof.exposure.name),
    verdicts: Object.fromEntries(refused.map(({ proof, verdict }) => [proof.exposure.name, verdict])),
    opened,
    unproven: refused.map(({ proof, verdict }) => unproven(proof, verdict)),
  }
}

/**
 * Waits until guards of other exposures are in force for connections that are opened for new hosts.
 * @throws UserError GUARD_NOT_UPDATED
 */
export async function requireWidened(plan: ExposePlan, { widening }: Stages, world: Dependencies): Promise<void> {
  if (widening.length === 0) return
  const exposures = exposuresOf(plan.spec, plan.spec.gateway.service)
  const proofs = proofsOf(plan, exposures).filter(({ exposure }) => widening.includes(exposure.name))
  const asking = askingOf(plan, plan.spec.providedSecret, plan.request.timeout)
  for (const [index, verdict] of (await Promise.all(proofs.map((one) => proveGuard(one, asking, world)))).entries()) {
    const proof = proofs[index]
    if (proof !== undefined && verdict.guard !== 'in force') throw notUpdated(proof, verdict)
  }
}

/** If another run has removed the route, the write fails: it would create an open one, whose guard may be gone, too. */
function onlyThat(change: Change): Change {
  const { manifest, present } = change
  const { uid } = present?.metadata ?? {}
  return uid === undefined ? change : { ...change, manifest: { ...manifest, metadata: { ...manifest.metadata, uid } } }
}

/** The change of what the first stage wrote. */
function after(change: Change, written: readonly Change[]): Change {
  const before = written.find((one) => isOfSameObject(one, change))
  return before === undefined ? change : { ...change, present: before.after ?? before.present }
}

/** A proof for each exposure with a guard. */
export function proofsOf({ spec, changes }: ExposePlan, exposures: readonly Exposure[]): GuardProof[] {
  return exposures.flatMap((exposure) => {
    const guard = spec.guarding.guards[exposure.name]
    const policies = changes.filter((one) => one.by !== 'removing' && addonOf(one) === exposure.name)
    return isGuarded(guard) ? [{ exposure, guard, listPath: listPathIn(policies.map(({ manifest }) => manifest)) }] : []
  })
}

export function askingOf(
  { spec, certificates }: ExposePlan,
  provided: ProvidedSecret | undefined,
  timeout: number,
): Asking {
  const authorityCertificate = provided?.chain ?? certificates?.authority.certificate
  const trust = provided === undefined ? {} : { trustPartialChain: true }
  const to = { address: spec.address.address, authorityCertificate, ...trust }
  return { to, pods: spec.gateway.readyPods, timeout }
}

/** Closes routes that were open although their guard has no effect. */
export async function closeAgain(
  addons: readonly string[],
  { spec, changes }: ExposePlan,
  { cluster }: Dependencies,
): Promise<void> {
  const closed = changes.flatMap((change): Change[] => {
    const addon = addonOf(change)
    const guard = spec.guarding.guards[addon]
    if (change.manifest.kind !== 'VirtualService' || !addons.includes(addon) || !isGuarded(guard)) return []
    const manifest = closedRoute(change.manifest, entryIn(spec, addon).port, guardVersion(guard))
    return [{ ...change, manifest, action: 'configured' }]
  })
  await applyChanges(cluster, closed, new Progress())
}
