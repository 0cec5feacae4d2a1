/** The result of `addons install`: plain data, and the contract of `-o json`. */
import { type Change, type Comparison, comparisonOf, type ObjectOutcome, outcomeOf } from '../changes/changes.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { installedAddon } from '../cluster/ownership.ts'
import { type Finding, noneFails } from '../findings.ts'
import type { InstallPlan, PlannedAddon } from './plan.ts'
import type { Istiod } from './survey.ts'
import type { Replaced } from './taken-names.ts'

export interface InstalledAddon {
  name: string
  namespace: string
  /** Of what runs, or will run. */
  version?: string
  /** Of the sample; left out for one of others. */
  sha256?: string
  /** `present`: others installed it. `replaced`: uninstalled, because another one takes its place. */
  action: 'installed' | 'updated' | 'unchanged' | 'present' | 'refused' | 'replaced'
  /** Left out in a dry run. */
  ready?: { ready: number; wanted: number }
  /** Until it was ready. */
  milliseconds?: number
  /** Why it is not ready, was refused, or was replaced. */
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
export function changesIn({ creation, record, lastRecord, replaced, addons }: InstallPlan): Change[] {
  const changes = [...replaced, ...addons].flatMap((addon) => addon.changes)
  if (changes.length === 0) return []
  return [creation, record, ...changes, lastRecord].filter((change) => change !== undefined)
}

export function reportInstall(
  outcome: InstallResult['outcome'],
  plan: InstallPlan,
  { readiness = {}, findings = [] }: { readiness?: Readiness; findings?: Finding[] } = {},
): InstallReport {
  const { namespace, source, istiod, addons, replaced, warnings } = plan
  // The record that is written twice is reported once.
  const planned = changesIn(plan).filter((change) => change !== plan.record || plan.lastRecord === undefined)
  const changes = [...planned, ...addons.flatMap(({ edited }) => edited)]
  return {
    result: {
      outcome,
      source,
      istio: istiod,
      addons: [
        ...addons.map((addon) => ({ ...describe(addon, namespace), ...readiness[addon.name] })),
        ...replaced.map((one) => describeReplaced(one, namespace)),
      ],
      objects: changes.map(outcomeOf),
      warnings: [...warnings, ...findings],
    },
    manifests: planned.map(({ manifest }) => manifest),
    comparisons: planned.map(comparisonOf),
  }
}

function describeReplaced({ name, by, version }: Replaced, namespace: string): InstalledAddon {
  const former = version === undefined ? {} : { version }
  return { name, namespace, ...former, action: 'replaced', reason: `${by} takes its place` }
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
  return { name, namespace, version, sha256, action: actionOf(name, changes) }
}

function actionOf(addon: string, changes: readonly Change[]): InstalledAddon['action'] {
  if (changes.every(({ action }) => action === 'unchanged')) return 'unchanged'
  // Names that another add-on had belong to it only after this run.
  return changes.some(({ present }) => present && installedAddon(present) === addon) ? 'updated' : 'installed'
}
