/** The result of `scrape-secure`: plain data, and the contract of `-o json`. */

import { type Change, type Comparison, comparisonOf, type ObjectOutcome, outcomeOf } from '../changes/changes.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import type { Code } from '../codes.ts'
import { type Finding, noneFails } from '../findings.ts'
import type { LeftOut } from './left-out.ts'
import { isAmbientPart } from './methods/choose.ts'
import type { PlannedWorkload } from './plan.ts'
import type { Method } from './workload.ts'

export interface WorkloadOutcome {
  kind: string
  namespace: string
  name: string
  /** How many pods it has. */
  pods: number
  /** Left out if no method was chosen. */
  method?: Method
  action: 'configured' | 'unchanged' | 'skipped'
  /** Why it was skipped: a stable code and a text. */
  code?: Code
  reason?: string
}

/** What Prometheus reports about the selected pods, and by which jobs it scrapes them. */
export interface Targets {
  up: number
  total: number
  jobs: { name: string; up: number; total: number }[]
}

export interface ScrapeSecureResult {
  outcome: 'planned' | 'declined' | 'applied'
  /** Left out if every workload is skipped. */
  method?: Method | 'mixed'
  workloads: WorkloadOutcome[]
  prometheus?: { namespace: string; name: string; kind: string }
  targets?: Targets
  /** Ports that still serve metrics as plaintext: `shop/deployment/web:15020`. */
  plaintext?: { open: string[] }
  objects: ObjectOutcome[]
  warnings: Finding[]
}

/** The result, with the manifests (for `--dry-run -o yaml`) and the comparisons (for `--diff`). */
export interface ScrapeSecureReport {
  result: ScrapeSecureResult
  /** A named workload was skipped, or all workloads were. */
  refused: boolean
  manifests: KubeObject[]
  comparisons: Comparison[]
}

/** Whether the exit code is 0. */
export function succeeded({ result, refused }: ScrapeSecureReport): boolean {
  return result.outcome !== 'declined' && !refused && noneFails(result.warnings)
}

function workloadOutcome({ candidate, method, skip, changes }: PlannedWorkload): WorkloadOutcome {
  const { resource, object, pods } = candidate
  const { name, namespace = '' } = object.metadata
  const changed = changes.some(({ action }) => action !== 'unchanged')
  return {
    ...{ kind: resource.kind, namespace, name, pods: pods.length },
    ...(method === undefined ? {} : { method }),
    action: skip !== undefined ? 'skipped' : changed ? 'configured' : 'unchanged',
    ...(skip === undefined ? {} : skip),
  }
}

export function leftOutOutcome({ kind, namespace, name, pods, skip }: LeftOut): WorkloadOutcome {
  return { kind, namespace, name, pods: pods.length, action: 'skipped', ...skip }
}

/** The changes of a plan, for the report. */
interface PlanSummary {
  workloads: readonly PlannedWorkload[]
  /** Workloads of kinds that are not changed. */
  leftOut: readonly LeftOut[]
  /** Changes at Prometheus, which come first. */
  scraper: readonly Change[]
  /** Whether the user named the workloads. */
  named: boolean
}

/** @param facts what the command found about Prometheus, its targets and the ports */
export function reportOf(
  outcome: ScrapeSecureResult['outcome'],
  { workloads: planned, leftOut, scraper, named }: PlanSummary,
  facts: Pick<ScrapeSecureResult, 'prometheus' | 'targets' | 'plaintext' | 'warnings'>,
): ScrapeSecureReport {
  const changes = [...scraper, ...planned.flatMap((one) => one.changes)]
  const done = planned.filter(({ skip }) => skip === undefined)
  // Parts of ambient mode are listed, and nobody expects a change of them unless they are named.
  const skipped = [...planned.filter((one) => one.skip !== undefined && (named || !isAmbientPart(one))), ...leftOut]
  const methods = [...new Set(done.flatMap(({ method }) => method ?? []))]
  const [method] = methods.length > 1 ? (['mixed'] as const) : methods
  const result: ScrapeSecureResult = {
    outcome,
    ...(method === undefined ? {} : { method }),
    workloads: [...planned.map(workloadOutcome), ...leftOut.map(leftOutOutcome)],
    objects: outcome === 'declined' ? [] : changes.map(outcomeOf),
    ...facts,
  }
  return {
    result,
    refused: skipped.length > 0 && (named || done.length === 0),
    manifests: changes.map(({ manifest }) => manifest),
    comparisons: changes.map(comparisonOf),
  }
}
