/** The report of status. Pure. */
import type { GuardView } from '../access/guard.ts'
import type { AddonAccess } from '../addons/configuration.ts'
import type { CertificateReport } from '../certifying/report.ts'
import { type Finding, noneFails } from '../findings.ts'
import type { IngressAddress } from '../gateways/address.ts'
import type { Probe } from '../probing/prober.ts'

/** The ingress gateway at which add-ons are exposed. */
export interface GatewayStatus {
  namespace: string
  /** Left out when no Service leads to it. */
  service?: string
  address?: string
  via?: IngressAddress['via']
}

export interface AddonStatus {
  name: string
  /** Where it runs; left out when it was not found. `ready` and `pods` are left out when pods may not be read. */
  found?: { title: string; namespace: string; service: string; ready?: number; pods?: number }
  /** Left out when it is not exposed. */
  exposure?: { url: string; gateway: string; probe?: Probe }
  /** Who gets into the add-on itself, what a visitor could do there, and the guard at the gateway. */
  access: { addon?: AddonAccess; visitor?: string; guard?: GuardView; anonymous?: true }
  /** The certificate that the gateway serves for it. */
  certificate?: Pick<CertificateReport, 'secret' | 'daysLeft' | 'notAfter' | 'trusted'>
  /** RFC 3339. */
  expiresAt?: string
}

/** An exposed Service that is no add-on. Its name is `svc/NAME`. */
export interface ServiceStatus extends AddonStatus {
  namespace: string
}

/** The contract of `status -o json`. */
export interface StatusReport {
  context: string
  gateway?: GatewayStatus
  addons: AddonStatus[]
  services: ServiceStatus[]
  problems: Finding[]
}

/** Whether the exit code is 0: everything that is exposed works. Warnings do not change it. */
export function succeeded({ problems }: StatusReport): boolean {
  return noneFails(problems)
}
