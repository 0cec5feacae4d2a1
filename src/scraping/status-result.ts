/** The result of scrape-secure status. */

import type { Finding } from '../findings.ts'
import type { Candidate } from './find.ts'
import type { Fit } from './fit.ts'
import type { Plaintext } from './proof.ts'
import type { Targets, WorkloadOutcome } from './result.ts'
import type { PodTarget } from './scraper/targets.ts'
import type { Method } from './workload.ts'

export interface WorkloadStatus {
  kind: string
  namespace: string
  name: string
  method: Method
  /** How many pods it has, and how many of them have the secure port. */
  pods: number
  secured: number
  /** Left out if Prometheus could not be asked. */
  targets?: { up: number; total: number }
  /** Whether its pod template closes the plaintext ports. */
  hardened: boolean
  /** What a run of `scrape-secure` would do to it; left out if that is unknown. */
  action?: Fit['action']
  reason?: string
}

/** The contract of `scrape-secure status -o json`. */
export interface ScrapeStatusResult {
  /** Left out if nothing is scraped over mutual TLS. */
  method?: Method | 'mixed'
  workloads: WorkloadStatus[]
  /** The workloads could not be read, so the lists below are empty. */
  unread?: true
  prometheus?: { namespace: string; name: string; kind: string }
  /** Left out if Prometheus could not be asked. */
  targets?: Targets
  /** Pods that are scraped by more than one job. */
  double: { namespace: string; pod: string; jobs: string[] }[]
  /** Ports that serve metrics as plaintext, and ports that could not be checked: `shop/deployment/web:15020`. */
  plaintext: { open: string[]; unchecked: string[] }
  /** Workloads with a proxy that are not scraped over mutual TLS. */
  unsecured: { sidecars: number; gateways: number }
  /** Workloads with a proxy whose kind scrape-secure does not change; left out if there are none. */
  leftOut?: WorkloadOutcome[]
  warnings: Finding[]
}

/** A workload that scrape-secure configured, and what is known about it. */
export interface SecuredWorkload {
  candidate: Candidate
  method: Method
  fit: Fit | undefined
  /** undefined if Prometheus could not be asked. */
  targets: PodTarget[] | undefined
  plaintext: Plaintext | undefined
}
