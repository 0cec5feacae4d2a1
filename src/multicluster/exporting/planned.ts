/** The plan of an export: types only. */
import type { Change } from '../../changes/changes.ts'
import type { ObjectEdit } from '../../changes/object-edits.ts'
import type { Finding } from '../../findings.ts'
import type { ExportedService } from '../exported.ts'
import type { ExportRequest } from './request.ts'
import type { Site } from './site.ts'

/** An edit of somebody's object, and its change for the page. */
export interface PlannedEdit {
  readonly edit: ObjectEdit
  readonly change: Change | undefined
}

/** What happens in one cluster. */
export interface SitePlan {
  readonly site: Site
  /** Our Gateway, and the rule with subsets. */
  readonly serving: readonly Change[]
  /** What is behind an egress gateway, then the rule and the entry. */
  readonly calling: readonly Change[]
  /** The names in CoreDNS. */
  readonly names: readonly PlannedEdit[]
  /** Workloads whose sidecars answer names from now on: their pods restart. */
  readonly workloads: readonly PlannedEdit[]
}

export interface ExportPlan {
  readonly request: ExportRequest
  /** One for each calling cluster. */
  readonly services: readonly ExportedService[]
  readonly sites: readonly SitePlan[]
  readonly warnings: readonly Finding[]
}
