/** What verify answers: plain data, and the contract of `-o json`. */
import { type Finding, noneFails } from '../../findings.ts'

export type CallHop = 'name' | 'sidecar' | 'gateway' | 'identity' | 'call'

export interface HopResult {
  readonly port: number
  readonly hop: CallHop
  readonly ok: boolean
  /** How long it took to find out. */
  readonly milliseconds: number
  /** What was found. */
  readonly text: string
}

/** A call to one port. Its last hop is the one that failed, if one did. */
export interface Verdict {
  readonly hops: readonly HopResult[]
  /** Why the last hop failed. */
  readonly problem?: Finding
}

/** An exported service, called from one pod. */
export interface VerifiedService {
  readonly host: string
  readonly service: string
  readonly namespace: string
  /** Names of the serving clusters. */
  readonly in: readonly string[]
  /** Name of the calling cluster. */
  readonly to: string
  /** `NAMESPACE/WORKLOAD` */
  readonly from: string
  readonly ports: readonly number[]
  /** Those of the first port, then those of the second, … */
  readonly hops: readonly HopResult[]
}

export interface Verified {
  readonly service: VerifiedService
  readonly problems: readonly Finding[]
}

export interface VerifyResult {
  readonly outcome: 'verified' | 'failed'
  readonly services: readonly VerifiedService[]
  readonly problems: readonly Finding[]
}

/** Whether the exit code is 0. */
export function succeeded({ problems }: Pick<VerifyResult, 'problems'>): boolean {
  return noneFails(problems)
}
