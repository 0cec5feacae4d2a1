import type { ScrapeSecureReport, ScrapeSecureResult, WorkloadOutcome } from '../operations/scrape-result.ts'
import type { ScrapeProgress } from '../operations/scrape-workloads.ts'
import { renderDiff } from './diff.ts'
import { dryRunMark, type OutputFormat, renderData, renderManifests, renderObject, renderTable } from './output.ts'

/** The answer on stdout. In a dry run with `-o` it is the manifests, for kubectl. */
export function renderScrapeSecure(
  { result, manifests, comparisons }: ScrapeSecureReport,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
  diff = false,
): string {
  if (diff) return renderDiff(comparisons)
  if (format !== undefined) return dryRun === 'none' ? renderData(result, format) : renderManifests(manifests, format)
  if (result.outcome === 'declined') return 'nothing was changed'
  if (result.workloads.length === 0) return 'nothing to change'
  const objects = result.objects
    .filter((object) => !result.workloads.some((one) => isSame(one, object)))
    .map((object) => renderObject(object, `${object.action}${dryRunMark(dryRun)}`))
  const below = footer(result)
  return [
    ...objects,
    ...(objects.length > 0 ? [''] : []),
    table(result, dryRun),
    ...(below.length > 0 ? [''] : []),
    ...below,
  ].join('\n')
}

function isSame(one: WorkloadOutcome, other: { kind: string; namespace: string; name: string }): boolean {
  return one.kind === other.kind && one.namespace === other.namespace && one.name === other.name
}

function table({ workloads }: ScrapeSecureResult, dryRun: 'none' | 'client' | 'server'): string {
  const rows = workloads.map((one) => [
    one.namespace,
    `${one.kind.toLowerCase()}/${one.name}`,
    String(one.pods),
    one.method ?? '-',
    one.action === 'skipped' ? `skipped: ${one.reason} (${one.code})` : `${one.action}${dryRunMark(dryRun)}`,
  ])
  return renderTable([['NAMESPACE', 'WORKLOAD', 'PODS', 'METHOD', 'RESULT'], ...rows])
}

function footer({ outcome, method, prometheus, targets, plaintext }: ScrapeSecureResult): string[] {
  const { kind, namespace, name } = prometheus ?? {}
  const jobs = (targets?.jobs ?? []).map((job) => `${job.name} ${job.up}/${job.total}`).join(', ')
  return [
    ...(prometheus === undefined ? [] : [`prometheus   ${kind?.toLowerCase()}/${name} in namespace ${namespace}`]),
    ...(targets === undefined ? [] : [`targets      ${targets.up} of ${targets.total} up over https (${jobs})`]),
    ...(plaintext === undefined || plaintext.open.length === 0 ? [] : [`in clear     ${plaintext.open.join(', ')}`]),
    ...(outcome === 'applied' && method !== undefined ? ['undo it      kubectl telemetry cleanup --scraping'] : []),
  ]
}

/** One line, written over while it goes on. */
export function renderScrapeProgress({ workload, number, of, updated, ready, wanted }: ScrapeProgress): string {
  return `${workload} (${number} of ${of}): ${updated} of ${wanted} pods replaced, ${ready} ready`
}

/** One line, written over while it goes on. @param elapsed milliseconds */
export function renderTargets({ up, total, elapsed }: { up: number; total: number; elapsed: number }): string {
  return `${up} of ${total} targets up, ${Math.round(elapsed / 1000)} s`
}
