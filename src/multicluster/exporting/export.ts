/** `multicluster export`: plans, rehearses, asks, writes in the serving clusters and then in the calling ones, and looks at the result. */
import { applyChanges, type Change, lineOf, rehearse } from '../../changes/changes.ts'
import { confirm, counted } from '../../changes/confirmation.ts'
import { applyEditAsGuest } from '../../changes/object-edits.ts'
import { Progress } from '../../changes/progress.ts'
import { noneFails } from '../../findings.ts'
import { sh } from '../../shell.ts'
import { until } from '../../time/until.ts'
import { awaitRollout } from '../../workloads/await-rollout.ts'
import type { WorkloadObject } from '../../workloads/workload-object.ts'
import type { AskDns, Dependencies } from '../../world.ts'
import type { ExportedService } from '../exported.ts'
import { ClusterProgress, inCluster, type Member } from '../members.ts'
import { awaitNames } from './dns/proof.ts'
import { planExport } from './plan.ts'
import type { ExportPlan, PlannedEdit, SitePlan } from './planned.ts'
import type { ExportRequest } from './request.ts'
import { changesIn, type ExportProof, type ExportReport, reportExport } from './result.ts'

export type ExportNeeds = Pick<Dependencies, 'terminal' | 'clock'> & {
  askDns: AskDns
  /** Calls the service from a pod of the calling cluster. */
  callOnce(service: ExportedService): Promise<ExportProof>
}

/** @throws UserError those of `planExport`, CONSENT_REQUIRED, and the API servers' answers to writes */
export async function exportService(
  request: ExportRequest,
  members: readonly Member[],
  needs: ExportNeeds,
): Promise<ExportReport> {
  const planned = await planExport(request, members)
  if (request.dryRun === 'client') return reportExport('planned', planned)
  const plan = await rehearsed(planned)
  if (request.dryRun === 'server') return reportExport('planned', plan)
  if (!(await confirmed(plan, needs))) return reportExport('declined', plan)
  const progress = new Progress()
  const undo = [
    sh`kubectl telemetry multicluster cleanup ${plan.services[0]?.host}   # to undo it, beside the contexts`,
  ]
  await progress.reportOnError(() => write(plan, progress, needs), undo)
  return reportExport('applied', plan, await prove(plan, needs))
}

async function rehearsed(plan: ExportPlan): Promise<ExportPlan> {
  const sites = await Promise.all(plan.sites.map((site) => inCluster(site.site, () => rehearsedIn(site))))
  return { ...plan, sites }
}

async function rehearsedIn(site: SitePlan): Promise<SitePlan> {
  const { cluster } = site.site
  const edits = (all: readonly PlannedEdit[]) =>
    Promise.all(
      all.map(async ({ edit, change }) => ({
        edit,
        change: change && (await rehearse(cluster, [change]))[0],
      })),
    )
  const [serving, calling, names, workloads] = await Promise.all([
    rehearse(cluster, site.serving),
    rehearse(cluster, site.calling),
    edits(site.names),
    edits(site.workloads),
  ])
  return { ...site, serving, calling, names, workloads }
}

async function confirmed({ sites, request }: ExportPlan, { terminal }: ExportNeeds): Promise<boolean> {
  const changing = sites.map((site) => ({ site, open: changesIn(site).filter(({ action }) => action !== 'unchanged') }))
  const count = changing.reduce((sum, { open }) => sum + open.length, 0)
  if (count === 0) return true
  const { name, namespace } = request.service
  return confirm(
    {
      yes: request.yes,
      effect: `change ${counted(count, 'object')}`,
      lines: changing.flatMap(({ site, open }) => open.map((change) => lineIn(site, change))),
      question: `Export ${namespace}/${name}?`,
      preview: 'server',
    },
    terminal,
  )
}

/** `east: Deployment foo/sleep: change, its pods restart` */
function lineIn({ site }: SitePlan, change: Change): string {
  return `${site.name}: ${lineOf(change)}${change.restarts ? ', its pods restart' : ''}`
}

/** Serving clusters first: an entry leads to what is there. */
async function write({ sites, request }: ExportPlan, progress: Progress, needs: ExportNeeds): Promise<void> {
  const each = async (work: (site: SitePlan, own: Progress) => Promise<unknown>) => {
    for (const site of sites) await inCluster(site.site, () => work(site, new ClusterProgress(site.site, progress)))
  }
  await each(({ site, serving }, own) => applyChanges(site.live, serving, own))
  await each(({ site, calling }, own) => applyChanges(site.live, calling, own))
  await each(async ({ site, names }, own) => {
    for (const { edit } of names) await applyEditAsGuest(site.live, edit, own)
  })
  await each(async ({ site, workloads }, own) => {
    for (const { edit } of workloads) {
      const object = await applyEditAsGuest(site.live, edit, own)
      const wait = { timeout: request.timeout }
      await awaitRollout(edit.resource, object as WorkloadObject, wait, { cluster: site.live, clock: needs.clock })
    }
  })
}

/** Names first: without them a call says nothing about the rest of the way. */
async function prove(plan: ExportPlan, needs: ExportNeeds): Promise<ExportProof[]> {
  const proofs: ExportProof[] = []
  // One after the other: a question for the caller may follow another.
  for (const service of plan.services) {
    const { host, address, to, dns } = service
    const site = plan.sites.find((one) => one.site.name === to)?.site
    const unknown =
      dns === 'coredns' && site !== undefined
        ? await awaitNames({ host, address }, site, plan.request.timeout, needs)
        : []
    proofs.push({ to, problems: unknown })
    if (noneFails(unknown)) proofs.push(await callUntilAnswered(service, needs))
  }
  return proofs
}

/** Milliseconds: istiod sends a changed object to sidecars within a second or a few. */
const PATIENCE = 20_000
const PAUSE = 1_000

function callUntilAnswered(service: ExportedService, { callOnce, clock }: ExportNeeds): Promise<ExportProof> {
  const isDone = ({ problems }: ExportProof) => noneFails(problems)
  return until({ look: () => callOnce(service), isDone, pause: PAUSE, timeout: PATIENCE }, clock)
}
