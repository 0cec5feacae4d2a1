/** The results of `tracing on` and `tracing off`: plain data, and the contract of `-o json`. */
import {
  type Action,
  type Change,
  type Comparison,
  comparisonOf,
  type ObjectOutcome,
  outcomeOf,
} from '../changes/changes.ts'
import { managedElsewhere } from '../changes/managed-elsewhere.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { type Finding, noneFails } from '../findings.ts'
import { notKept, type TracingPlan } from './plan.ts'
import type { TraceHop } from './proving/proof.ts'

export interface TracingProof {
  ok: boolean
  /** What was requested. */
  url: string
  traceId?: string
  spans?: number
  services?: string[]
  /** From the change, or from the first request, until the trace was found. */
  milliseconds?: number
  /** Where the trace was lost. */
  hop?: TraceHop
}

export interface TracingResult {
  outcome: 'planned' | 'declined' | 'applied'
  revisions: {
    revision: string
    /** `NAMESPACE/NAME` */
    configMap: string
    provider: { name: string; kind: string; service: string; port: number; action: Action }
  }[]
  telemetry: { namespace: string; name: string; action: Action }
  /** Percent; left out where the provider decides. */
  sampling?: number
  /** Left out if none is known behind the collector. */
  backend?: { title: string; namespace: string; service: string }
  /** Left out if it was not tried. */
  proof?: TracingProof
  warnings: Finding[]
}

/** The result, with the manifests for `--dry-run -o yaml` and the comparisons for `--diff`. */
export interface TracingReport {
  result: TracingResult
  objects: ObjectOutcome[]
  manifests: KubeObject[]
  comparisons: Comparison[]
}

/** Whether the exit code is 0: nothing was declined, and a trace that was tried has arrived. */
export function succeeded({ outcome, warnings }: Pick<TracingResult, 'outcome' | 'warnings'>): boolean {
  return outcome !== 'declined' && noneFails(warnings)
}

/** In the order in which they are written: a Telemetry that names an unknown provider switches tracing off. */
export function changesIn({ revisions, telemetry }: Pick<TracingPlan, 'revisions' | 'telemetry'>): Change[] {
  return [...revisions.flatMap(({ change }) => (change === undefined ? [] : [change])), ...telemetry]
}

export function reportTracing(
  outcome: TracingResult['outcome'],
  plan: TracingPlan,
  { proof, findings = [] }: { proof?: TracingProof | undefined; findings?: readonly Finding[] } = {},
): TracingReport {
  const { chosen, revisions, telemetry, inForce, effective, warnings } = plan
  const changes = changesIn(plan)
  const { namespace = '', name } = inForce.metadata
  const { backend } = chosen
  return {
    result: {
      outcome,
      revisions: revisions.map(({ revision, name: provider, collector, change }) => ({
        revision: revision.revision,
        configMap: `${revision.namespace}/${revision.name}`,
        provider: {
          name: provider,
          kind: collector.protocol,
          service: `${collector.service}.${collector.namespace}`,
          port: collector.port,
          action: change?.action ?? 'unchanged',
        },
      })),
      telemetry: { namespace, name, action: telemetry[0]?.action ?? 'unchanged' },
      ...(effective.sampling === undefined ? {} : { sampling: effective.sampling }),
      ...(backend === undefined
        ? {}
        : { backend: { title: backend.title, namespace: backend.namespace, service: backend.service } }),
      ...(proof === undefined ? {} : { proof }),
      warnings: [...warnings, ...notKept(plan), ...managedElsewhere(telemetry), ...findings],
    },
    objects: changes.map(outcomeOf),
    manifests: changes.map(({ manifest }) => manifest),
    comparisons: changes.map(comparisonOf),
  }
}
