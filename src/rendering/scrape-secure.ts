import type { ScrapeProgress } from '../scraping/apply.ts'
import type { ScrapeSecureReport, ScrapeSecureResult, WorkloadOutcome } from '../scraping/result.ts'
import { dryRunMark, type OutputFormat, page, renderObject, tableLines } from './output.ts'
import { renderPlan } from './plan.ts'

/** The answer on stdout. */
export function renderScrapeSecure(
  report: ScrapeSecureReport,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
  diff = false,
): string {
  const plan = renderPlan(report, dryRun, format, diff)
  if (plan !== undefined) return plan
  const { result } = report
  if (result.outcome === 'declined') return 'nothing was changed'
  if (result.workloads.length === 0) return 'nothing to change'
  const objects = result.objects
    .filter((object) => !result.workloads.some((one) => isSame(one, object)))
    .map((object) => renderObject(object, `${object.action}${dryRunMark(dryRun)}`))
  const below = footer(result)
  return page([
    ...objects,
    ...(objects.length > 0 ? [''] : []),
    ...table(result, dryRun),
    ...(below.length > 0 ? [''] : []),
    ...below,
  ])
}

function isSame(one: WorkloadOutcome, other: { kind: string; namespace: string; name: string }): boolean {
  return one.kind === other.kind && one.namespace === other.namespace && one.name === other.name
}

function table({ workloads }: ScrapeSecureResult, dryRun: 'none' | 'client' | 'server'): string[] {
  const rows = workloads.map((one) => [
    one.namespace,
    `${one.kind.toLowerCase()}/${one.name}`,
    String(one.pods),
    one.method ?? '-',
    one.action === 'skipped' ? `skipped: ${one.reason} (${one.code})` : `${one.action}${dryRunMark(dryRun)}`,
  ])
  return tableLines([['NAMESPACE', 'WORKLOAD', 'PODS', 'METHOD', 'RESULT'], ...rows])
}

function footer({ outcome, method, prometheus, targets, plaintext }: ScrapeSecureResult): string[] {
  return [
    ...scraperLines({ prometheus, targets }),
    ...plaintextLines(plaintext?.open ?? []),
    ...(outcome === 'applied' && method !== undefined ? ['undo         kubectl telemetry cleanup --scraping'] : []),
  ]
}

/** @param open `shop/deployment/web:15090`, `shop/deployment/web:15020` */
function plaintextLines(open: string[]): string[] {
  if (open.length === 0) return []
  const ports = Map.groupBy(open, (one) => one.slice(0, one.lastIndexOf(':')))
  const each = [...ports].map(
    ([path, all]) => `${path} at ${all.map((one) => one.slice(path.length + 1)).join(' and ')}`,
  )
  return [`plaintext    ${each.join(', ')}: still readable without TLS; close these ports with scrape-secure --harden`]
}

/** The Prometheus that scrapes, and its targets among these pods. */
export function scraperLines({
  prometheus,
  targets,
}: { [part in 'prometheus' | 'targets']?: ScrapeSecureResult[part] | undefined }): string[] {
  const jobs = (targets?.jobs ?? []).map((job) => `${job.name} ${job.up} of ${job.total}`)
  const by = jobs.length === 0 ? '' : ` (by job: ${jobs.join(', ')})`
  return [
    ...(prometheus === undefined
      ? []
      : [`prometheus   ${prometheus.kind.toLowerCase()}/${prometheus.name} in namespace ${prometheus.namespace}`]),
    ...(targets === undefined ? [] : [`targets      ${targets.up} of ${targets.total} up over mutual TLS${by}`]),
  ]
}

/** The progress line of the rollouts; it is overwritten. */
export function renderScrapeProgress({ workload, number, of, updated, ready, wanted }: ScrapeProgress): string {
  return `${workload} (${number} of ${of}): ${updated} of ${wanted} pods replaced, ${ready} ready`
}

/** The progress line of the targets; it is overwritten. @param elapsed milliseconds */
export function renderTargets({ up, total, elapsed }: { up: number; total: number; elapsed: number }): string {
  return `${up} of ${total} targets up, ${Math.round(elapsed / 1000)} s`
}
