/** `tracing off`: removes what `tracing on` made. In one namespace of a traced mesh it makes a Telemetry that reports no spans. */
import { applyChanges, type Change, lineOf, outcomeOf, rehearse } from '../changes/changes.ts'
import { confirm } from '../changes/confirmation.ts'
import { Progress } from '../changes/progress.ts'
import { type UndoRequest, type UndoResult, undo } from '../changes/undo.ts'
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import { isOwnedBy, TRACING } from '../cluster/ownership.ts'
import { istioNotFound } from '../cluster/reading.ts'
import { type Finding, warns } from '../findings.ts'
import { vouchedPlanes } from '../gateways/istiods.ts'
import { sh } from '../shell.ts'
import { isRead } from '../workloads/control-plane.ts'
import type { Dependencies } from '../world.ts'
import { effectiveTracing, forAllIn, isTraced } from './effective.ts'
import type { Revision } from './facts.ts'
import { readRevisions, readTelemetries, telemetryResource } from './survey.ts'
import { isShared, planTelemetry } from './telemetry-plan.ts'
import { undoTracing } from './undo.ts'

export interface TracingOffRequest extends Pick<UndoRequest, 'yes' | 'dryRun'> {
  /** Only this one; the whole mesh when left out. */
  namespace?: string | undefined
}

type Needs = Pick<Dependencies, 'cluster' | 'terminal'>

/** @throws UserError ISTIO_NOT_FOUND, TELEMETRY_IN_FORCE, CONSENT_REQUIRED, FORBIDDEN, and the API server's answer to a write */
export async function tracingOff(request: TracingOffRequest, needs: Needs): Promise<UndoResult> {
  const { namespace } = request
  const silencing = namespace === undefined ? [] : await planSilence(namespace, needs.cluster)
  if (silencing.length > 0) return silence(silencing, request, needs)
  const result = await undo(undoTracing(namespace, needs.cluster), request, needs)
  // In one namespace, the rest of the mesh is none of this run's business.
  if (result.outcome !== 'applied' || namespace !== undefined) return result
  return { ...result, warnings: [...result.warnings, ...(await remaining(needs.cluster))] }
}

/**
 * The Telemetry with which a namespace reports no spans, although the mesh does.
 * @returns none where the mesh does not: then removing what is ours is enough
 */
async function planSilence(namespace: string, cluster: Cluster): Promise<Change[]> {
  const [revisions, telemetries = [], resource] = await Promise.all([
    readRevisions(cluster),
    readTelemetries(cluster),
    telemetryResource(cluster),
  ])
  if (resource === undefined) throw istioNotFound(cluster)
  const traced = (await vouchedPlanes(revisions, cluster)).filter(
    (one) => one.root !== namespace && isMeshTraced(one, telemetries),
  )
  const [first] = traced
  if (first === undefined) return []
  const read = telemetries.filter((one) => isRead(one, first))
  const place = { resource, namespace, revision: undefined, telemetries: read }
  const isSilent = (inForce: KubeObject) => !isTracedWith(first, [inForce])
  return planTelemetry(place, { disabled: true }, isSilent).changes
}

function isMeshTraced(revision: Revision, telemetries: readonly KubeObject[]): boolean {
  const read = telemetries.filter((one) => isRead(one, revision))
  return isTracedWith(revision, forAllIn(revision.root, read).slice(0, 1))
}

function isTracedWith({ configuration, sampling: ofIstiod }: Revision, inForce: KubeObject[]): boolean {
  const modes = ['CLIENT', 'SERVER'] as const
  return modes.some((mode) => isTraced(effectiveTracing(configuration, { telemetries: inForce, ofIstiod }, mode)))
}

async function silence(
  changes: readonly Change[],
  { yes, dryRun, namespace }: TracingOffRequest,
  { cluster, terminal }: Needs,
): Promise<UndoResult> {
  const result = (outcome: UndoResult['outcome'], made: readonly Change[]): UndoResult => ({
    outcome,
    deleted: [],
    restored: [],
    changed: made.map(outcomeOf),
    remaining: [],
    warnings: [],
  })
  if (dryRun === 'client') return result('planned', changes)
  const plan = await rehearse(cluster, changes)
  if (dryRun === 'server') return result('planned', plan)
  const open = plan.filter(({ action }) => action !== 'unchanged')
  const question = {
    yes,
    effect: 'change 1 object',
    lines: open.map(lineOf),
    question: `Let namespace ${namespace} report no spans?`,
    preview: 'client' as const,
  }
  if (open.length > 0 && !(await confirm(question, terminal))) return result('declined', plan)
  const progress = new Progress()
  return result('applied', await progress.reportOnError(() => applyChanges(cluster, plan, progress)))
}

/** Traces that do not come from us. */
async function remaining(cluster: Cluster): Promise<Finding[]> {
  const [revisions, telemetries = []] = await Promise.all([readRevisions(cluster), readTelemetries(cluster)])
  const others = telemetries.filter((one) => !isOwnedBy(one, TRACING) && !isShared(one))
  return revisions
    .filter((one) => isMeshTraced(one, others))
    .map((one) => {
      const [deciding] = forAllIn(
        one.root,
        others.filter((other) => isRead(other, one)),
      )
      const { name } = deciding?.metadata ?? {}
      const by = name === undefined ? 'a default provider of the mesh configuration' : `Telemetry ${one.root}/${name}`
      const look =
        name === undefined
          ? sh`kubectl -n ${one.namespace} get configmap ${one.name} -o yaml`
          : sh`kubectl -n ${one.root} get telemetries.telemetry.istio.io ${name} -o yaml`
      return warns(
        'TRACING_REMAINS',
        `revision ${one.revision} still traces requests: ${by}, which others made, says so`,
        look,
      )
    })
}
