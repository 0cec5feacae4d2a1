/** Lets Prometheus scrape over Istio mutual TLS: gather, plan, rehearse, confirm, apply workload by workload, prove. */

import { type Change, rehearse } from '../changes/changes.ts'
import { type Confirmation, confirm, counted } from '../changes/confirmation.ts'
import { managedElsewhere } from '../changes/managed-elsewhere.ts'
import { Progress } from '../changes/progress.ts'
import { usageError } from '../errors.ts'
import { asFinding, type Finding, fails, noneFails, warns } from '../findings.ts'
import { makerOf } from '../prometheus/find.ts'
import { workloadNames } from '../workloads/workload-names.ts'
import type { Dependencies } from '../world.ts'
import { applyWorkloads, changesPods, isChanged, type ScrapeProgress } from './apply.ts'
import type { Candidate } from './find.ts'
import type { LeftOut } from './left-out.ts'
import { isAmbientPart } from './methods/choose.ts'
import { namingUndo, UNDO } from './naming-undo.ts'
import { findPlaintextLeft } from './plaintext-left.ts'
import { type PlannedWorkload, planWorkloads, rehearseWorkloads } from './plan.ts'
import type { AskOverTls } from './proof.ts'
import { reportOf, type ScrapeSecureReport, type ScrapeSecureResult } from './result.ts'
import { prepareScraper, type ScrapeProof, type ScraperSetup, type TargetsProgress } from './scraper/setup.ts'
import { surveyWorkloads, type WorkloadChoice } from './survey.ts'
import type { Method } from './workload.ts'

export interface ScrapeSecureRequest extends WorkloadChoice {
  method: 'auto' | Method
  /** Close the plaintext ports after all targets are up. */
  harden: boolean
  /** Only Prometheus may reach the secure ports. */
  onlyPrometheus: boolean
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
  /** `NAMESPACE/NAME`; `none`: only the workloads. Left out: the only Prometheus of the cluster. */
  prometheus: string | undefined
  /** Milliseconds to wait for the next pod, and for all targets. */
  timeout: number
}

type Needs = Pick<Dependencies, 'cluster' | 'terminal' | 'clock' | 'random' | 'generateKey'> & {
  askOverTls: AskOverTls
}

/** Is called with the progress. */
export interface ScrapeAudience {
  rollout?: ((progress: ScrapeProgress) => void) | undefined
  targets?: ((state: TargetsProgress) => void) | undefined
}

/** @throws UserError with the codes of survey.ts, apply.ts and changes.ts; CONSENT_REQUIRED, HARDEN_UNPROVEN (exit 2) */
export async function scrapeSecure(
  request: ScrapeSecureRequest,
  dependencies: Needs,
  audience: ScrapeAudience = {},
): Promise<ScrapeSecureReport> {
  requireProvable(request)
  const { prometheus: named, timeout } = request
  const prometheus = named === 'none' ? undefined : await prepareScraper(named, timeout, dependencies)
  return scrapeWith(prometheus, request, dependencies, audience)
}

/** A value: applying it makes new values and does not write into it. */
interface ScrapePlan {
  readonly request: ScrapeSecureRequest
  /** Left out: only the workloads. */
  readonly prometheus: ScraperSetup | undefined
  /** Changes at Prometheus, which come first. */
  readonly scraper: readonly Change[]
  readonly workloads: readonly PlannedWorkload[]
  /** Workloads of kinds that are not changed. */
  readonly leftOut: readonly LeftOut[]
  readonly warnings: readonly Finding[]
}

/** @param prometheus left out: only the workloads */
export async function scrapeWith(
  prometheus: ScraperSetup | undefined,
  request: ScrapeSecureRequest,
  dependencies: Omit<Needs, 'askOverTls'>,
  audience: ScrapeAudience = {},
): Promise<ScrapeSecureReport> {
  const { cluster, terminal } = dependencies
  const planned = await planAll(prometheus, request, cluster)
  if (request.dryRun === 'client') return report('planned', planned)

  const plan = await rehearseAll(planned, cluster)
  if (request.dryRun === 'server') return report('planned', plan)
  if (!(await confirmed(plan, terminal))) return report('declined', plan)
  return applyPlan(plan, dependencies, audience).catch((error: unknown) => {
    // Pods and Prometheus are waited for only after the changes, of this run or an earlier one.
    throw namingUndo(error, true)
  })
}

async function applyPlan(
  plan: ScrapePlan,
  dependencies: Omit<Needs, 'askOverTls'>,
  audience: ScrapeAudience,
): Promise<ScrapeSecureReport> {
  const { request, prometheus } = plan
  const { cluster } = dependencies
  const progress = new Progress()
  const run = { progress, tell: audience.rollout }
  const apply = (workloads: readonly PlannedWorkload[]) =>
    progress.reportOnError(() => applyWorkloads(request, workloads, run, dependencies), [UNDO])
  if (plan.scraper.length > 0) await progress.reportOnError(async () => prometheus?.apply(progress), [UNDO])
  const applied = { ...plan, workloads: await apply(plan.workloads) }
  const proof = isLeft(plan.workloads) ? await prometheus?.prove(applied.workloads, audience.targets) : undefined
  if (proof === undefined || !request.harden) return report('applied', applied, proof)

  // If a port were closed while a target is not up, the workload would have no metrics.
  if (!noneFails(proof.warnings))
    return report('applied', applied, { ...proof, warnings: [...proof.warnings, notHardened(proof)] })
  const hardened = await apply(await planHardening(applied, cluster))
  const last = await prometheus?.prove(hardened, audience.targets)
  const done = { ...applied, workloads: mergePasses(applied.workloads, hardened) }
  const left = await findPlaintextLeft(done.workloads, done.leftOut, cluster)
  return report('applied', { ...done, warnings: [...done.warnings, ...left] }, last)
}

async function planAll(
  prometheus: ScraperSetup | undefined,
  request: ScrapeSecureRequest,
  cluster: Needs['cluster'],
): Promise<ScrapePlan> {
  const { workloads, leftOut, warnings: unread } = await planWith(prometheus, request, false, cluster)
  const atPrometheus = isLeft(workloads) ? (prometheus?.warnings ?? []) : []
  const warnings = [...unread, ...atPrometheus, ...noWorkloads(workloads, leftOut)]
  return { request, prometheus, scraper: changesAt(prometheus, workloads), workloads, leftOut, warnings }
}

/** If the rehearsal refuses every workload, Prometheus stays unchanged: it would have nothing to scrape. */
async function rehearseAll(plan: ScrapePlan, cluster: Needs['cluster']): Promise<ScrapePlan> {
  const workloads = await rehearseWorkloads(plan.workloads, cluster)
  const scraper = await rehearse(cluster, changesAt(plan.prometheus, workloads))
  if (isLeft(workloads)) return { ...plan, workloads, scraper }
  const warnings = plan.warnings.filter((warning) => !plan.prometheus?.warnings.includes(warning))
  return { ...plan, workloads, scraper, warnings }
}

/** @param proof what Prometheus and new connections showed after the plan was applied */
function report(outcome: ScrapeSecureResult['outcome'], plan: ScrapePlan, proof?: ScrapeProof): ScrapeSecureReport {
  const { request, prometheus, scraper, workloads, leftOut } = plan
  return reportOf(
    outcome,
    { workloads, leftOut, scraper, named: request.names.length > 0 },
    {
      ...(prometheus === undefined ? {} : { prometheus: prometheus.found }),
      ...proof,
      warnings: [...warningsOf(plan), ...(proof?.warnings ?? [])],
    },
  )
}

/** Those of the plan, and what other tools will do to its changes. */
function warningsOf({ warnings, scraper, workloads }: ScrapePlan): Finding[] {
  return [...warnings, ...managedElsewhere([...scraper, ...workloads.flatMap(({ changes }) => changes)])]
}

/** No changes if every workload is skipped: Prometheus would restart, and lose its data, for nothing. */
function changesAt(prometheus: ScraperSetup | undefined, planned: readonly PlannedWorkload[]): readonly Change[] {
  return isLeft(planned) ? (prometheus?.changes ?? []) : []
}

/** Whether any workload is not skipped. */
function isLeft(planned: readonly PlannedWorkload[]): boolean {
  return planned.some(({ skip }) => skip === undefined)
}

async function planWith(
  prometheus: ScraperSetup | undefined,
  request: ScrapeSecureRequest,
  harden: boolean,
  cluster: Needs['cluster'],
): Promise<Pick<ScrapePlan, 'workloads' | 'leftOut' | 'warnings'>> {
  const survey = await surveyWorkloads(request, cluster)
  const named = request.names.length > 0
  const candidates = survey.candidates.filter((one) => named || !isPrometheus(one, prometheus))
  const only = request.onlyPrometheus && prometheus !== undefined ? { onlyPrometheus: prometheus.scraper } : {}
  const workloads = await planWorkloads({ ...survey, candidates }, request.method, { harden, ...only }, cluster)
  return { workloads, leftOut: survey.leftOut, warnings: survey.unread.map((error) => asFinding(error, 'warns')) }
}

/** The second pass, for the workloads that the first pass configured. */
async function planHardening(
  { prometheus, request, workloads: applied }: ScrapePlan,
  cluster: Needs['cluster'],
): Promise<PlannedWorkload[]> {
  const { workloads } = await planWith(prometheus, request, true, cluster)
  const isDone = ({ candidate }: PlannedWorkload) =>
    applied.some(
      (one) => one.skip === undefined && workloadNames(one.candidate).title === workloadNames(candidate).title,
    )
  return rehearseWorkloads(workloads.filter(isDone), cluster)
}

function notHardened({ targets }: ScrapeProof): Finding {
  const message = `the plaintext ports were not closed because of the other problems; ${targets.up} of ${targets.total} targets are up`
  return fails('NOT_HARDENED', message, 'fix the other problems, then run the command again')
}

/** One outcome for each workload from both passes. */
function mergePasses(applied: readonly PlannedWorkload[], hardened: PlannedWorkload[]): PlannedWorkload[] {
  return applied.map((one) => {
    const again = hardened.find(
      ({ candidate }) => workloadNames(candidate).title === workloadNames(one.candidate).title,
    )
    return again !== undefined && (isChanged(again) || again.skip !== undefined) ? again : one
  })
}

/** @throws UserError HARDEN_UNPROVEN (exit 2) */
function requireProvable({ harden, onlyPrometheus, prometheus }: ScrapeSecureRequest): void {
  if (prometheus !== 'none' || !(harden || onlyPrometheus)) return
  const flag = harden ? '--harden' : '--only-prometheus'
  throw usageError(
    'HARDEN_UNPROVEN',
    `${flag} needs a Prometheus that proves the scraping; it cannot be combined with --prometheus none`,
    ['--prometheus NAMESPACE/NAME'],
  )
}

/** Prometheus' own sidecar only writes its certificate, so Prometheus is not a workload to secure. An operator makes StatefulSets for it. */
function isPrometheus({ resource, object: { metadata } }: Candidate, prometheus: ScraperSetup | undefined): boolean {
  const { kind, namespace, name } = prometheus?.found ?? {}
  if (metadata.namespace !== namespace) return false
  return (resource.kind === kind && metadata.name === name) || makerOf({ metadata }) === `${kind} ${name}`
}

function noWorkloads(planned: readonly PlannedWorkload[], leftOut: readonly LeftOut[]): Finding[] {
  if (planned.some((one) => !isAmbientPart(one)) || leftOut.length > 0) return []
  const message = 'no workload with a sidecar was found'
  return [warns('NO_WORKLOADS', message, '-n NAMESPACE, or -A for all namespaces')]
}

async function confirmed(plan: ScrapePlan, terminal: Needs['terminal']): Promise<boolean> {
  const { request, scraper, workloads: planned, leftOut } = plan
  const { yes, harden } = request
  const changed = planned.filter(isChanged)
  const open = scraper.filter(({ action }) => action !== 'unchanged')
  if (changed.length + open.length === 0) return true
  const pods = changed.filter(changesPods).reduce((sum, { candidate }) => sum + candidate.pods.length, 0)
  const others = open.length === 0 ? '' : 'Prometheus and '
  const what = `${others}${counted(changed.length, 'workload')} and restart ${counted(pods, 'pod')}${harden ? ', twice to harden them' : ''}`
  const skipped = [
    ...planned.map(({ candidate, skip }) => ({ title: workloadNames(candidate).title, skip })),
    ...leftOut.map(({ kind, namespace, name, skip }) => ({ title: `${kind} ${namespace}/${name}`, skip })),
  ].flatMap(({ title, skip }) => (skip === undefined ? [] : [`${title}: skipped, ${skip.reason}`]))
  const confirmation: Confirmation = {
    yes,
    effect: `change ${what}`,
    remarks: warningsOf(plan).map(({ message }) => message),
    lines: [...open.map(changeLine), ...usersObjects(changed).map(changeLine), ...changed.map(lineOf), ...skipped],
    question: `Change ${what}, one workload after the other?`,
    preview: 'server',
  }
  return confirm(confirmation, terminal)
}

/** The user's policies and Sidecars that are changed, each once. */
function usersObjects(planned: readonly PlannedWorkload[]): Change[] {
  const others = planned.flatMap(({ changes, candidate }) =>
    changes.filter(
      ({ by, resource, action }) =>
        (by === 'sharing' || by === 'replacing') && resource !== candidate.resource && action !== 'unchanged',
    ),
  )
  return [...new Map(others.map((one) => [changeLine(one), one])).values()]
}

const VERBS: Record<Change['action'], string> = {
  created: 'create',
  configured: 'change',
  unchanged: 'leave',
  deleted: 'delete',
}

function changeLine({ manifest: { kind, metadata }, action }: Change): string {
  return `${kind} ${metadata.namespace}/${metadata.name}: ${VERBS[action]}`
}

function lineOf(planned: PlannedWorkload): string {
  const { candidate, method } = planned
  const restarting = changesPods(planned) ? `, ${counted(candidate.pods.length, 'pod')} restarted` : ''
  return `${workloadNames(candidate).title}: ${method}${restarting}`
}
