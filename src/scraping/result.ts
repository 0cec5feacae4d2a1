/** What `scrape-secure` answers: plain data, and the contract of `-o json`. */
import { type Change, type Comparison, comparisonOf, type ObjectOutcome, outcomeOf } from '../changes/changes.ts'
import { type KubeObject, kindName } from '../cluster/cluster.ts'
import type { Warning } from '../world.ts'
import type { ListedWorkload } from './find.ts'
import type { PlannedWorkload } from './plan.ts'
import type { Method } from './workload.ts'

export interface WorkloadOutcome {
  kind: string
  namespace: string
  name: string
  /** How many pods it has. */
  pods: number
  /** Left out when none was chosen. */
  method?: Method
  action: 'configured' | 'unchanged' | 'skipped'
  /** Why it was skipped: stable, and in words. */
  code?: string
  reason?: string
}

/** What Prometheus says of what it scrapes: the pods that are meant, by the jobs that scrape them. */
export interface Targets {
  up: number
  total: number
  jobs: { name: string; up: number; total: number }[]
}

export interface ScrapeSecureResult {
  outcome: 'planned' | 'declined' | 'applied'
  /** Left out when there is no workload that can be done. */
  method?: Method | 'mixed'
  workloads: WorkloadOutcome[]
  prometheus?: { namespace: string; name: string; kind: string }
  targets?: Targets
  /** Where metrics are still served in clear: `shop/deployment/web:15020`. */
  plaintext?: { open: string[] }
  objects: ObjectOutcome[]
  warnings: Warning[]
}

/** `shop/deployment/web` */
export function workloadPath({ resource, object: { metadata } }: ListedWorkload): string {
  return `${metadata.namespace}/${kindName({ ...resource, group: '' })}/${metadata.name}`
}

/** The answer, and for those who asked to see them the manifests (`--dry-run -o yaml`) and what they change (`--diff`). */
export interface ScrapeSecureReport {
  result: ScrapeSecureResult
  /** Somebody named what could not be done, or nothing could be. */
  refused: boolean
  manifests: KubeObject[]
  comparisons: Comparison[]
}

/** Whether the exit code is 0. */
export function succeeded({ result, refused }: ScrapeSecureReport): boolean {
  const { outcome, targets } = result
  return outcome !== 'declined' && !refused && (targets === undefined || targets.up === targets.total)
}

export function workloadOutcome({ candidate, method, skip, changes }: PlannedWorkload): WorkloadOutcome {
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

/** @param changes all of them: at Prometheus, then of the workloads */
export function reportOf(
  outcome: ScrapeSecureResult['outcome'],
  planned: PlannedWorkload[],
  changes: Change[],
  rest: Pick<ScrapeSecureResult, 'prometheus' | 'targets' | 'plaintext' | 'warnings'>,
  named: boolean,
): ScrapeSecureReport {
  const done = planned.filter(({ skip }) => skip === undefined)
  const methods = [...new Set(done.flatMap(({ method }) => method ?? []))]
  const [method] = methods.length > 1 ? (['mixed'] as const) : methods
  const result: ScrapeSecureResult = {
    outcome,
    ...(method === undefined ? {} : { method }),
    workloads: planned.map(workloadOutcome),
    objects: outcome === 'declined' ? [] : changes.map(outcomeOf),
    ...rest,
  }
  return {
    result,
    refused: planned.length > done.length && (named || done.length === 0),
    manifests: changes.map(({ manifest }) => manifest),
    comparisons: changes.map(comparisonOf),
  }
}
