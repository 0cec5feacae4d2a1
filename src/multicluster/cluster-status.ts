/** The status of one cluster: types only. */
import type { TrustReport } from './trust/report.ts'

export interface ClusterStatus extends TrustReport {
  gateway?: { namespace: string; service: string; address?: string; port?: number; via?: string }
}
