/** Lets Prometheus scrape over Istio mutual TLS: gather, plan, rehearse, confirm, apply workload by workload, prove. */
import { type Change, rehearse } from '../changes/changes.ts'
import { Progress } from '../changes/progress.ts'
import { UserError, usageError } from '../errors.ts'
import type { Timers } from '../time/timers.ts'
import type { Dependencies, Warning } from '../world.ts'
import { applyWorkloads, changesPods, isChanged, type ScrapeProgress } from './apply.ts'
import type { Candidate } from './find.ts'
import { type PlannedWorkload, planWorkloads, rehearseWorkloads } from './plan.ts'
import { reportOf, type ScrapeSecureReport, type ScrapeSecureResult } from './result.ts'
import { type AtPrometheus, atPrometheus, type ScrapeProof, type TargetsProgress } from './scraper/setup.ts'
import { surveyWorkloads, type WorkloadChoice } from './survey.ts'
import type { Method } from './workload.ts'

export interface ScrapeSecureRequest extends WorkloadChoice {
  method: 'auto' | Method
  /** Close the ports in clear, once all targets are up. */
  harden: boolean
  /** Nobody but Prometheus may reach the secure ports. */
  onlyPrometheus: boolean
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
  /** `NAMESPACE/NAME`; `none`: the workloads alone. Left out: the only one. */
  prometheus: string | undefined
  /** Milliseconds to wait for the next pod, and for all targets. */
  timeout: number
}

type Needs = Pick<Dependencies, 'cluster' | 'terminal' | 'clock' | 'random' | 'generateKey'> & { timers: Timers }

const UNDO = ['kubectl telemetry cleanup --scraping   # everything as it was before']

/** Told of how far it is. */
export interface ScrapeWatching {
  rollout?: ((progress: ScrapeProgress) => void) | undefined
  targets?: ((state: TargetsProgress) => void) | undefined
}

/** @throws UserError; see the codes in survey.ts, workloads/await-rollout.ts and changes/changes.ts; CONSENT_REQUIRED, HARDEN_UNPROVEN (exit 2) */
export async function scrapeSecure(
  request: ScrapeSecureRequest,
  dependencies: Needs,
  watching: ScrapeWatching = {},
): Promise<ScrapeSecureReport> {
  requireProvable(request)
  const { prometheus: named, timeout } = request
  const prometheus = named === 'none' ? undefined : await atPrometheus(named, timeout, dependencies)
  return scrapeWith(prometheus, request, dependencies, watching)
}

/** @param prometheus left out: the workloads alone */
export async function scrapeWith(
  prometheus: AtPrometheus | undefined,
  request: ScrapeSecureRequest,
  dependencies: Omit<Needs, 'timers'>,
  watching: ScrapeWatching = {},
): Promise<ScrapeSecureReport> {
  const { cluster } = dependencies
  const named = request.names.length > 0
  const { planned, warnings } = await planAll(request, false, prometheus, cluster)
  const there = prometheus?.changes ?? []
  const rest = {
    ...(prometheus === undefined ? {} : { prometheus: prometheus.found }),
    warnings: [...warnings, ...(prometheus?.warnings ?? []), ...nothingFound(planned)],
  }
  const report = (outcome: ScrapeSecureResult['outcome'], workloads: PlannedWorkload[], first: Change[], more = {}) =>
    reportOf(
      outcome,
      workloads,
      [...first, ...workloads.flatMap(({ changes }) => changes)],
      { ...rest, ...more },
      named,
    )
  if (request.dryRun === 'client') return report('planned', planned, there)

  // Without a workload there is nothing to scrape, and Prometheus stays as it is.
  const first = planned.some(({ skip }) => skip === undefined) ? await rehearse(cluster, there) : []
  const rehearsed = await rehearseWorkloads(planned, cluster)
  if (request.dryRun === 'server') return report('planned', rehearsed, first)
  if (!(await confirmed(first, rehearsed, request, rest.warnings, dependencies)))
    return report('declined', rehearsed, first)

  const progress = new Progress()
  const applying = async (workloads: PlannedWorkload[]) =>
    progress.telling(() => applyWorkloads(request, workloads, progress, dependencies, watching.rollout), UNDO)
  if (first.length > 0) await progress.telling(async () => prometheus?.apply(progress), UNDO)
  const applied = await applying(rehearsed)
  const proof = await prometheus?.prove(applied, watching.targets)
  if (proof === undefined) return report('applied', applied, first)
  const hardened = request.harden ? await harden(request, applied, proof, prometheus, applying, cluster) : undefined
  const last = hardened === undefined ? proof : await prometheus?.prove(hardened, watching.targets)
  const { breached = false, ...shown } = last ?? proof
  const unhardened = request.harden && hardened === undefined ? [notHardened(proof)] : []
  const all = { ...shown, warnings: [...rest.warnings, ...shown.warnings, ...unhardened] }
  const result = report('applied', bothOf(applied, hardened), first, all)
  return { ...result, refused: result.refused || breached || unhardened.length > 0 }
}

async function planAll(
  request: ScrapeSecureRequest,
  harden: boolean,
  prometheus: AtPrometheus | undefined,
  cluster: Needs['cluster'],
): Promise<{ planned: PlannedWorkload[]; warnings: Warning[] }> {
  const survey = await surveyWorkloads(request, cluster)
  const named = request.names.length > 0
  const candidates = survey.candidates.filter((one) => named || !isPrometheus(one, prometheus))
  const only = request.onlyPrometheus && prometheus !== undefined ? { onlyPrometheus: prometheus.scraper } : {}
  const planned = await planWorkloads({ ...survey, candidates }, request.method, { harden, ...only }, cluster)
  return { planned, warnings: survey.warnings }
}

/** Only when every target is up: a port that is closed before would leave a workload without metrics. */
async function harden(
  request: ScrapeSecureRequest,
  applied: PlannedWorkload[],
  { targets, breached }: ScrapeProof,
  prometheus: AtPrometheus | undefined,
  applying: (workloads: PlannedWorkload[]) => Promise<PlannedWorkload[]>,
  cluster: Needs['cluster'],
): Promise<PlannedWorkload[] | undefined> {
  if (targets.up < targets.total || breached) return undefined
  const { planned } = await planAll(request, true, prometheus, cluster)
  const isDone = ({ candidate }: PlannedWorkload) =>
    applied.some((one) => one.skip === undefined && nameOf(one.candidate) === nameOf(candidate))
  return applying(await rehearseWorkloads(planned.filter(isDone), cluster))
}

function notHardened({ targets }: ScrapeProof): Warning {
  const message = `the ports in clear stay open: ${targets.up} of ${targets.total} targets are up`
  return { code: 'NOT_HARDENED', message, remedy: 'mend what is not up, and run the command again' }
}

/** What was changed in either pass. */
function bothOf(applied: PlannedWorkload[], hardened: PlannedWorkload[] = []): PlannedWorkload[] {
  return applied.map((one) => {
    const again = hardened.find(({ candidate }) => nameOf(candidate) === nameOf(one.candidate))
    return again !== undefined && (isChanged(again) || again.skip !== undefined) ? again : one
  })
}

/** @throws UserError HARDEN_UNPROVEN (exit 2) */
function requireProvable({ harden, onlyPrometheus, prometheus }: ScrapeSecureRequest): void {
  if (prometheus !== 'none' || !(harden || onlyPrometheus)) return
  const flag = harden ? '--harden' : '--only-prometheus'
  throw usageError(
    'HARDEN_UNPROVEN',
    `${flag} needs a Prometheus that is seen to scrape; it does not go with --prometheus none`,
  )
}

/** Prometheus' own sidecar only writes its certificate. */
function isPrometheus({ resource, object: { metadata } }: Candidate, prometheus: AtPrometheus | undefined): boolean {
  const { kind, namespace, name } = prometheus?.found ?? {}
  return resource.kind === kind && metadata.namespace === namespace && metadata.name === name
}

function nothingFound(planned: PlannedWorkload[]): Warning[] {
  if (planned.length > 0) return []
  const message = 'no workload was found that has a sidecar'
  return [{ code: 'NO_WORKLOADS', message, remedy: '-n NAMESPACE, or -A for all namespaces' }]
}

/** Nothing to change needs no leave. */
async function confirmed(
  first: Change[],
  planned: PlannedWorkload[],
  { yes, harden }: ScrapeSecureRequest,
  warnings: Warning[],
  { terminal }: Pick<Needs, 'terminal'>,
): Promise<boolean> {
  const changed = planned.filter(isChanged)
  const open = first.filter(({ action }) => action !== 'unchanged')
  if (changed.length + open.length === 0 || yes) return true
  const pods = changed.filter(changesPods).reduce((sum, { candidate }) => sum + candidate.pods.length, 0)
  const others = open.length === 0 ? '' : 'Prometheus and '
  const what = `${others}${counted(changed.length, 'workload')} and restart ${counted(pods, 'pod')}${harden ? ', twice to harden them' : ''}`
  if (!terminal.interactive)
    throw new UserError('CONSENT_REQUIRED', `this would change ${what}, and there is no terminal to ask on`, {
      suggestions: ['-y', '--dry-run=server   # shows them'],
    })
  for (const { message } of warnings) terminal.note(message)
  for (const { manifest, action } of open)
    terminal.note(`  ${manifest.kind} ${manifest.metadata.namespace}/${manifest.metadata.name}: ${VERBS[action]}`)
  for (const one of changed) terminal.note(`  ${lineOf(one)}`)
  for (const { candidate, skip } of planned)
    if (skip !== undefined) terminal.note(`  ${nameOf(candidate)}: left as it is, ${skip.reason}`)
  return terminal.confirm(`Change ${what}, one workload after the other?`)
}

const VERBS: Record<Change['action'], string> = {
  created: 'create',
  configured: 'change',
  unchanged: 'leave',
  deleted: 'delete',
}

function lineOf(planned: PlannedWorkload): string {
  const { candidate, method } = planned
  const restarting = changesPods(planned) ? `, ${counted(candidate.pods.length, 'pod')} restarted` : ''
  return `${nameOf(candidate)}: ${method}${restarting}`
}

function nameOf({ resource, object: { metadata } }: Candidate): string {
  return `${resource.kind} ${metadata.namespace}/${metadata.name}`
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
