/** Whether the existing configuration of secured workloads is still what a new run would write. Plans again and compares; writes nothing. */

import { isInPlace } from '../changes/changes.ts'
import { mayHaveReset } from '../changes/managed-elsewhere.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { findIstioVersion, readable } from '../cluster/reading.ts'
import type { Candidate } from './find.ts'
import { type PlannedWorkload, planWorkloads } from './plan.ts'
import type { ScrapeSurvey } from './survey.ts'
import { methodIn } from './workload.ts'

/** What a run of `scrape-secure` would do to a workload. */
export interface Fit {
  action: 'configured' | 'unchanged' | 'skipped'
  reason?: string
}

/** @returns only workloads for which the comparison was possible; it needs read permissions */
export async function readFits(
  secured: Candidate[],
  survey: ScrapeSurvey,
  cluster: Cluster,
): Promise<Map<Candidate, Fit>> {
  // Only pods show what Istio injects.
  const running = secured.filter(({ pods }) => pods.length > 0)
  if (running.length === 0 || (await findIstioVersion(cluster)) === undefined) return new Map()
  const planned = await Promise.all(
    (['native', 'sidecar'] as const).map((method) => {
      const candidates = running.filter(({ object }) => methodIn(object) === method)
      if (candidates.length === 0) return []
      return readable(planWorkloads({ ...survey, candidates }, method, { harden: false }, cluster))
    }),
  )
  return new Map(planned.flatMap((some) => (some ?? []).map((one) => [one.candidate, fitOf(one)])))
}

function fitOf({ skip, changes }: PlannedWorkload): Fit {
  if (skip !== undefined) return { action: 'skipped', reason: skip.reason }
  const missing = changes.filter((change) => !isInPlace(change))
  if (missing.length === 0) return { action: 'unchanged' }
  const names = missing.map(({ resource, manifest }) => `${resource.kind} ${manifest.metadata.name}`)
  return {
    action: 'configured',
    reason: `${names.join(' and ')} no longer ${names.length > 1 ? 'match' : 'matches'} what the workload needs${mayHaveReset(missing)}`,
  }
}
