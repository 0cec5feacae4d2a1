/** `addons install`: plans, rehearses, asks, writes in order, and waits until each add-on is ready. */
import { type Change, lineOf } from '../changes/changes.ts'
import { confirm, counted } from '../changes/confirmation.ts'
import { Progress } from '../changes/progress.ts'
import { hasCode } from '../errors.ts'
import { asFinding, type Finding } from '../findings.ts'
import { awaitRollout } from '../workloads/await-rollout.ts'
import type { Rollout } from '../workloads/rollout.ts'
import type { WorkloadObject } from '../workloads/workload-object.ts'
import { type InstallPlan, type InstallRequest, type Needs, type PlannedAddon, planInstall } from './plan.ts'
import { changesIn, type InstallReport, type Readiness, reportInstall } from './result.ts'
import { isWorkload } from './survey.ts'
import { rehearsePlan, untried, writePlan } from './writing.ts'

/** Milliseconds between two looks at a workload: Kiali needs 45 seconds, and each look is a request. */
const PAUSE = 2_000

const UNDO = ['kubectl telemetry addons uninstall   # to undo it']

/** While pods start. */
export interface InstallProgress {
  addon: string
  ready: number
  wanted: number
}

type ShowProgress = (progress: InstallProgress) => void

/** @throws UserError ISTIOD_NOT_FOUND, ISTIOD_AMBIGUOUS, NAMESPACE_ENDING, FIELD_IMMUTABLE, REPLACED_IN_USE, CONSENT_REQUIRED, those of `readSamples`, and the API server's answer to a write */
export async function install(request: InstallRequest, needs: Needs, show?: ShowProgress): Promise<InstallReport> {
  const { cluster, terminal } = needs
  const { yes, dryRun } = request
  const planned = await planInstall(request, needs)
  if (dryRun === 'client') return reportInstall('planned', planned)
  const plan = await rehearsePlan(planned, cluster)
  if (dryRun === 'server') return reportInstall('planned', { ...plan, warnings: [...plan.warnings, ...untried(plan)] })
  const changing = changesIn(plan).filter(({ action }) => action !== 'unchanged')
  if (changing.length > 0) {
    const objects = counted(changing.length, 'object')
    const question = `Install ${namesOf(plan).join(', ')} into namespace ${plan.namespace}?`
    const remarks = plan.warnings.filter(({ code }) => code === 'ADDON_REPLACED').map(({ message }) => message)
    const confirmation = { yes, effect: `create or change ${objects}`, remarks, lines: changing.map(lineOf), question }
    if (!(await confirm({ ...confirmation, preview: 'server' }, terminal))) return reportInstall('declined', plan)
  }
  const progress = new Progress()
  await progress.reportOnError(() => writePlan(plan, progress, needs), UNDO)
  return reportInstall('applied', plan, await awaitReady(plan, needs, show))
}

function namesOf({ addons }: InstallPlan): string[] {
  return addons.filter(({ changes }) => changes.length > 0).map(({ name }) => name)
}

/** All add-ons start at the same time. One that does not become ready is a finding, and the others go on. */
async function awaitReady(
  { addons, request: { timeout } }: InstallPlan,
  { cluster, clock }: Needs,
  show: ShowProgress | undefined,
): Promise<{ readiness: Readiness; findings: Finding[] }> {
  const started = clock.now().getTime()
  const waits = addons
    .filter(({ changes, edited }) => changes.length + edited.length > 0)
    .map(async ({ name, changes, edited }) => {
      const counts: Rollout[] = []
      const findings: Finding[] = []
      for (const [index, { resource, manifest }] of workloadsOf({ changes, edited }).entries()) {
        const progress = (rollout: Rollout) => {
          counts[index] = rollout
          show?.({ addon: name, ready: rollout.ready, wanted: rollout.wanted })
        }
        try {
          await awaitRollout(
            resource,
            manifest as WorkloadObject,
            { timeout, progress, pause: PAUSE },
            { cluster, clock },
          )
        } catch (error) {
          if (!hasCode(error, 'ROLLOUT_FAILED')) throw error
          findings.push(asFinding(error, 'fails'))
        }
      }
      const sum = (pick: (rollout: Rollout) => number) => counts.reduce((total, one) => total + pick(one), 0)
      const ready = { ready: sum((one) => one.ready), wanted: sum((one) => one.wanted) }
      const [failed] = findings
      const outcome =
        failed === undefined ? { milliseconds: clock.now().getTime() - started } : { reason: failed.message }
      return { name, findings, outcome: { ready, ...outcome } }
    })
  const ended = await Promise.all(waits)
  return {
    readiness: Object.fromEntries(ended.map(({ name, outcome }) => [name, outcome])),
    findings: ended.flatMap(({ findings }) => findings),
  }
}

function workloadsOf({ changes, edited }: Pick<PlannedAddon, 'changes' | 'edited'>): Change[] {
  return [...changes, ...edited].filter(({ manifest, by }) => by !== 'removing' && isWorkload(manifest))
}
