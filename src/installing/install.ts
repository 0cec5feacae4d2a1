/** `addons install`: plans, rehearses, asks, writes in order, and waits until each add-on is ready. */
import { applyChanges, type Change, rehearse } from '../changes/changes.ts'
import { confirm, counted } from '../changes/confirmation.ts'
import { Progress } from '../changes/progress.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { hasCode } from '../errors.ts'
import { asFinding, type Finding, notes } from '../findings.ts'
import { sh } from '../shell.ts'
import { awaitRollout } from '../workloads/await-rollout.ts'
import type { Rollout } from '../workloads/rollout.ts'
import type { WorkloadObject } from '../workloads/workload-object.ts'
import { type InstallPlan, type InstallRequest, type Needs, type PlannedAddon, planInstall } from './plan.ts'
import { changesIn, type InstallReport, type Readiness, reportInstall } from './result.ts'
import { isWorkload } from './survey.ts'

const UNDO = ['kubectl telemetry addons uninstall   # to undo it']

/** While pods start. */
export interface InstallProgress {
  addon: string
  ready: number
  wanted: number
}

type ShowProgress = (progress: InstallProgress) => void

/** @throws UserError ISTIOD_NOT_FOUND, ISTIOD_AMBIGUOUS, NAMESPACE_ENDING, CONSENT_REQUIRED, and the API server's answer to a write */
export async function install(request: InstallRequest, needs: Needs, show?: ShowProgress): Promise<InstallReport> {
  const { cluster, terminal } = needs
  const { yes, dryRun } = request
  const planned = await planInstall(request, needs)
  if (dryRun === 'client') return reportInstall('planned', planned)
  const plan = await rehearsed(planned, needs)
  if (dryRun === 'server') return reportInstall('planned', { ...plan, warnings: [...plan.warnings, ...untried(plan)] })
  const changing = changesIn(plan).filter(({ action }) => action !== 'unchanged')
  if (changing.length > 0) {
    const objects = counted(changing.length, 'object')
    const question = `Install ${namesOf(plan).join(', ')} into namespace ${plan.namespace}?`
    const confirmation = { yes, effect: `create or change ${objects}`, lines: changing.map(line), question }
    if (!(await confirm({ ...confirmation, preview: 'server' }, terminal))) return reportInstall('declined', plan)
  }
  const progress = new Progress()
  await progress.reportOnError(() => write(plan, progress, cluster), UNDO)
  return reportInstall('applied', plan, await awaitReady(plan, needs, show))
}

async function rehearsed(plan: InstallPlan, { cluster }: Needs): Promise<InstallPlan> {
  const changes = changesIn(plan)
  const all = await rehearse(cluster, plan.creation === undefined ? changes : changes.filter(isWithoutNamespace))
  const after = (change: Change) => all.find(({ manifest }) => manifest === change.manifest) ?? change
  const addons = plan.addons.map((addon) => ({
    ...addon,
    changes: addon.changes.map(after),
  }))
  return { ...plan, record: after(plan.record), addons }
}

function isWithoutNamespace({ manifest }: Change): boolean {
  return manifest.metadata.namespace === undefined
}

/** What the API server cannot try in a dry run: nothing can be in a namespace that does not exist. */
function untried({ creation, namespace }: InstallPlan): Finding[] {
  if (creation === undefined) return []
  const message = `namespace ${namespace} does not exist, so only the objects outside of it were tried; the others are tried after it was created, before the first of them is written`
  return [notes('NOT_REHEARSED', message, sh`kubectl create namespace ${namespace}   # to try all of them now`)]
}

async function write(plan: InstallPlan, progress: Progress, cluster: Cluster): Promise<void> {
  const { creation } = plan
  const rest = changesIn(plan).filter((change) => change !== creation)
  if (creation !== undefined && rest.length > 0) await createNamespace(creation, rest, progress, cluster)
  await applyChanges(cluster, rest, progress)
}

/** Now the objects in it can be rehearsed. If one is refused, the namespace goes again. */
async function createNamespace(
  creation: Change,
  rest: readonly Change[],
  progress: Progress,
  cluster: Cluster,
): Promise<void> {
  const [created] = await applyChanges(cluster, [creation], progress)
  try {
    await rehearse(
      cluster,
      rest.filter((change) => !isWithoutNamespace(change)),
    )
  } catch (error) {
    if (created?.after !== undefined) await cluster.delete(creation.resource, created.after)
    progress.deleted(`namespace/${creation.manifest.metadata.name}`)
    throw error
  }
}

function namesOf({ addons }: InstallPlan): string[] {
  return addons.filter(({ changes }) => changes.length > 0).map(({ name }) => name)
}

function line({ resource, manifest: { metadata }, action }: Change): string {
  const { namespace, name } = metadata
  const path = namespace === undefined ? name : `${namespace}/${name}`
  return `${resource.kind} ${path}: ${{ created: 'create', deleted: 'delete' }[action as string] ?? 'change'}`
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
          await awaitRollout(resource, manifest as WorkloadObject, { timeout, progress }, { cluster, clock })
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
