/** The result of `addons install`: plain data, and the contract of `-o json`. */
import { type Change, type Comparison, comparisonOf, type ObjectOutcome, outcomeOf } from '../changes/changes.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { type Finding, noneFails } from '../findings.ts'
import type { InstallPlan, PlannedAddon } from './plan.ts'
import type { Istiod } from './survey.ts'

export interface InstalledAddon {
  name: string
  namespace: string
  /** Of what runs, or will run. */
  version?: string
  /** Of the sample; left out for one of others. */
  sha256?: string
  /** `present`: others installed it. */
  action: 'installed' | 'updated' | 'unchanged' | 'present' | 'refused'
  /** Left out in a dry run. */
  ready?: { ready: number; wanted: number }
  /** Until it was ready. */
  milliseconds?: number
  /** Why it is not ready, or was refused. */
  reason?: string
}

export interface InstallResult {
  outcome: 'planned' | 'declined' | 'applied'
  source: InstallPlan['source']
  istio: Istiod
  addons: InstalledAddon[]
  objects: ObjectOutcome[]
  warnings: Finding[]
}

/** The result, with the manifests for `--dry-run -o yaml` and the comparisons for `--diff`. */
export interface InstallReport {
  result: InstallResult
  manifests: KubeObject[]
  comparisons: Comparison[]
}

/** What was waited for. */
export type Readiness = Record<string, Pick<InstalledAddon, 'ready' | 'milliseconds' | 'reason'>>

/** Whether the exit code is 0: nothing was declined, and each add-on is ready. */
export function succeeded({ outcome, warnings }: InstallResult): boolean {
  return outcome !== 'declined' && noneFails(warnings)
}

/** All objects of a plan, in the order in which they are written. No record says that nothing was installed. */
export function changesIn({ creation, record, addons }: InstallPlan): Change[] {
  const changes = addons.flatMap((addon) => addon.changes)
  return changes.length === 0 ? [] : [...(creation === undefined ? [] : [creation]), record, ...changes]
}

export function reportInstall(
  outcome: InstallResult['outcome'],
  plan: InstallPlan,
  { readiness = {}, findings = [] }: { readiness?: Readiness; findings?: Finding[] } = {},
): InstallReport {
  const { namespace, source, istiod, addons, warnings } = plan
  const changes = [...changesIn(plan), ...addons.flatMap(({ edited }) => edited)]
  return {
    result: {
      outcome,
      source,
      istio: istiod,
      addons: addons.map((addon) => ({ ...describe(addon, namespace), ...readiness[addon.name] })),
      objects: changes.map(outcomeOf),
      warnings: [...warnings, ...findings],
    },
    manifests: changesIn(plan).map(({ manifest }) => manifest),
    comparisons: changesIn(plan).map(comparisonOf),
  }
}

function describe(
  { name, version, sha256, others, refused, changes }: PlannedAddon,
  namespace: string,
): InstalledAddon {
  if (others !== undefined) {
    const { ready, wanted, workload } = others
    const running = others.version === undefined ? {} : { version: others.version }
    return {
      name,
      namespace: workload.metadata.namespace ?? '',
      ...running,
      action: 'present',
      ready: { ready, wanted },
    }
  }
  if (refused !== undefined) return { name, namespace, version, sha256, action: 'refused', reason: refused.message }
  return { name, namespace, version, sha256, action: actionOf(changes) }
}

function actionOf(changes: readonly Change[]): InstalledAddon['action'] {
  if (changes.every(({ action }) => action === 'unchanged')) return 'unchanged'
  return changes.some(({ present }) => present !== undefined) ? 'updated' : 'installed'
}
