/** Lets Prometheus scrape over Istio mutual TLS: gather, plan, rehearse, confirm, apply workload by workload, prove. */
import { UserError } from '../errors.ts'
import type { Candidate } from '../scraping/find.ts'
import type { Method } from '../scraping/workload.ts'
import { applyChanges, type Change, rehearse } from './changes.ts'
import type { Dependencies, Warning } from './dependencies.ts'
import { Progress } from './progress.ts'
import { type PlannedWorkload, planWorkloads, rehearseWorkloads } from './scrape-plan.ts'
import { reportOf, type ScrapeSecureReport, type ScrapeSecureResult } from './scrape-result.ts'
import { surveyWorkloads, type WorkloadChoice } from './scrape-survey.ts'
import { applyWorkloads, changesPods, isChanged, type ScrapeProgress } from './scrape-workloads.ts'

export interface ScrapeSecureRequest extends WorkloadChoice {
  method: 'auto' | Method
  /** Close the ports in clear, once all targets are up. */
  harden: boolean
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
  /** Milliseconds to wait for the next pod, and for the next target. */
  timeout: number
}

/** What is done at the Prometheus that scrapes. */
export interface AtPrometheus {
  found: NonNullable<ScrapeSecureResult['prometheus']>
  plan(): Promise<{ changes: Change[]; warnings: Warning[] }>
  /** Until it runs with the new configuration and has a certificate. */
  settle(): Promise<void>
  /** Until it has scraped these. @param since when the last of them came back */
  prove(
    workloads: PlannedWorkload[],
    since: Date,
  ): Promise<Pick<ScrapeSecureResult, 'targets' | 'plaintext' | 'warnings'>>
}

type Needs = Pick<Dependencies, 'cluster' | 'terminal' | 'clock'>

/** @throws UserError; see the codes in scrape-survey.ts, roll-out.ts and changes.ts; CONSENT_REQUIRED */
export async function scrapeSecure(
  request: ScrapeSecureRequest,
  dependencies: Needs,
  prometheus?: AtPrometheus,
  watching?: (progress: ScrapeProgress) => void,
): Promise<ScrapeSecureReport> {
  const { cluster } = dependencies
  const survey = await surveyWorkloads(request, cluster)
  const named = request.names.length > 0
  const candidates = survey.candidates.filter((one) => named || !isPrometheus(one, prometheus))
  const [planned, there] = await Promise.all([
    planWorkloads({ ...survey, candidates }, request.method, { harden: false }, cluster),
    prometheus?.plan(),
  ])
  const rest = {
    ...(prometheus === undefined ? {} : { prometheus: prometheus.found }),
    warnings: [...survey.warnings, ...(there?.warnings ?? []), ...nothingFound(planned)],
  }
  const report = (outcome: ScrapeSecureResult['outcome'], workloads: PlannedWorkload[], first: Change[], more = {}) =>
    reportOf(
      outcome,
      workloads,
      [...first, ...workloads.flatMap(({ changes }) => changes)],
      { ...rest, ...more },
      named,
    )
  if (request.dryRun === 'client') return report('planned', planned, there?.changes ?? [])

  const first = await rehearse(cluster, there?.changes ?? [])
  const rehearsed = await rehearseWorkloads(planned, cluster)
  if (request.dryRun === 'server') return report('planned', rehearsed, first)
  if (!(await confirmed(first, rehearsed, request.yes, dependencies))) return report('declined', rehearsed, first)

  const progress = new Progress()
  const applied = await progress.telling(async () => {
    await applyChanges(cluster, first, progress)
    await prometheus?.settle()
    return applyWorkloads(request, rehearsed, progress, dependencies, watching)
  }, ['kubectl telemetry cleanup --scraping   # to undo it'])
  const proof = await prometheus?.prove(applied, dependencies.clock.now())
  return report(
    'applied',
    applied,
    first,
    proof === undefined ? {} : { ...proof, warnings: [...rest.warnings, ...proof.warnings] },
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
  yes: boolean,
  { terminal }: Needs,
): Promise<boolean> {
  const changed = planned.filter(isChanged)
  const open = first.filter(({ action }) => action !== 'unchanged')
  if (changed.length + open.length === 0 || yes) return true
  const pods = changed.filter(changesPods).reduce((sum, { candidate }) => sum + candidate.pods.length, 0)
  const what = `${counted(changed.length, 'workload')} and restart ${counted(pods, 'pod')}`
  if (!terminal.interactive)
    throw new UserError('CONSENT_REQUIRED', `this would change ${what}, and there is no terminal to ask on`, {
      suggestions: ['-y', '--dry-run=server   # shows them'],
    })
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
