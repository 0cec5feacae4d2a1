/** Whether what was once written for workloads is what would be written now: read and planned again, and compared. Writes nothing. */
import { isThere } from '../changes/changes.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { findIstioVersion, readable } from '../cluster/reading.ts'
import type { Candidate } from './find.ts'
import { type PlannedWorkload, planWorkloads } from './plan.ts'
import type { ScrapeSurvey } from './survey.ts'
import { methodIn } from './workload.ts'

/** What a run of `scrape-secure` would make of a workload. */
export interface Fit {
  action: 'configured' | 'unchanged' | 'skipped'
  reason?: string
}

/** @returns without those of which it could not be told, for want of rights */
export async function fitOf(ours: Candidate[], survey: ScrapeSurvey, cluster: Cluster): Promise<Map<Candidate, Fit>> {
  // Without pods nobody can say what Istio puts into them.
  const running = ours.filter(({ pods }) => pods.length > 0)
  if (running.length === 0 || (await findIstioVersion(cluster)) === undefined) return new Map()
  const planned = await Promise.all(
    (['native', 'sidecar'] as const).map((method) => {
      const candidates = running.filter(({ object }) => methodIn(object) === method)
      if (candidates.length === 0) return []
      return readable(planWorkloads({ ...survey, candidates }, method, { harden: false }, cluster))
    }),
  )
  return new Map(planned.flatMap((some) => (some ?? []).map((one) => [one.candidate, fitting(one)])))
}

function fitting({ skip, changes }: PlannedWorkload): Fit {
  if (skip !== undefined) return { action: 'skipped', reason: skip.reason }
  const missing = changes.filter((change) => !isThere(change))
  if (missing.length === 0) return { action: 'unchanged' }
  const names = missing.map(({ resource, manifest }) => `${resource.kind} ${manifest.metadata.name}`)
  return {
    action: 'configured',
    reason: `${names.join(' and ')} ${names.length > 1 ? 'are' : 'is'} not as it needs now`,
  }
}
