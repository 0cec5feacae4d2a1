/** `multicluster cleanup`: removes exports, or with `--trust` what `connect` did. */
import { usageError } from '../errors.ts'
import { type CleanupRequest, type CleanupResult, cleanupExports } from './exporting/cleanup.ts'
import type { TrustWorld } from './trust/trust-run.ts'
import { untrust } from './untrust.ts'
import { findProbePods } from './verifying/probe-pod.ts'

export interface WholeCleanupRequest extends CleanupRequest {
  /** `--trust`. */
  readonly trust: boolean
  readonly acceptUnknown: boolean
}

/** @throws UserError TRUST_WITH_HOSTS (exit 2), and those of both */
export async function cleanupClusters(request: WholeCleanupRequest, world: TrustWorld): Promise<CleanupResult> {
  const { trust, acceptUnknown, hosts, timeout, yes, dryRun } = request
  if (!trust) return cleanupExports(request, world.members, { ...world, leftPods: findProbePods })
  if (hosts.length > 0)
    throw usageError('TRUST_WITH_HOSTS', '--trust is for whole clusters, so it takes no hosts', [
      'kubectl telemetry multicluster cleanup   # removes exports',
      'kubectl telemetry multicluster cleanup --trust   # then the shared root',
    ])
  return untrust({ renew: 'restart', acceptUnknown, timeout, yes, dryRun }, world)
}
