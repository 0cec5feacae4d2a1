/** What the user asks for. */
import type { ServiceChoice } from '../addons/service-survey.ts'
import type { ObjectName } from '../cluster/cluster.ts'
import type { Schedule } from './limits.ts'

/** `any`: the only exposure, or the one that the user chooses. */
export type TargetChoice =
  | { by: 'any' }
  | { by: 'addon'; name: string }
  | { by: 'service'; service: ServiceChoice }
  | { by: 'url'; url: URL }

export interface TrafficRequest {
  target: TargetChoice
  /** Of the add-on, or of the Service; by default any, or that of the context. */
  namespace?: string | undefined
  schedule: Schedule
  concurrency: number
  /** Empty: the path of the exposure. */
  paths: readonly string[]
  method: 'GET' | 'HEAD'
  /** The share of requests that may fail: 0 to 1. */
  maxErrors: number
  via: 'gateway' | 'api-server'
  gateway?: Required<ObjectName> | undefined
  /** `--ingress-ip`. */
  ingressAddress?: string | undefined
  /** `NAMESPACE/NAME`, or `none`. */
  prometheus?: string | undefined
}
