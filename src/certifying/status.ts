/** Reports on all certificates: content of the Secrets, what the gateways serve, days left, trust. Changes nothing. */

import { findIstioVersion, readable } from '../cluster/reading.ts'
import { RememberingCluster } from '../cluster/remembering-cluster.ts'
import { distinct, type Finding, fails, noneFails } from '../findings.ts'
import { leftoversIn } from '../gateways/leftovers.ts'
import { readOwnObjects } from '../gateways/own-objects.ts'
import type { Dependencies } from '../world.ts'
import { findHttpsGateways, type GatewayChoice, type HttpsGateway } from './https-gateways.ts'
import { type CertificateReport, type Needs as ReportNeeds, reportOn } from './report.ts'

export interface CertStatusRequest extends GatewayChoice {
  /** Milliseconds: a certificate with less time left is reported as failing. */
  expiresIn: number
}

export interface CertStatusResult {
  certificates: CertificateReport[]
  warnings: Finding[]
}

type Needs = ReportNeeds & Pick<Dependencies, 'cluster'>

/** Leftovers are looked for when no certificate is served: then they may be the reason. */
export async function certStatus(request: CertStatusRequest, dependencies: Needs): Promise<CertStatusResult> {
  const cluster = new RememberingCluster(dependencies.cluster)
  const { ours, findings } = await findHttpsGateways(request, cluster)
  if (ours.length > 0) {
    const { certificates, warnings } = await reportCertificates(ours, request.expiresIn, dependencies)
    return { certificates, warnings: [...findings, ...warnings] }
  }
  const own = await readable(readOwnObjects(await findIstioVersion(cluster), request.namespace, cluster))
  const left = own === undefined ? [] : [...own.findings, ...leftoversIn(own)]
  return { certificates: [], warnings: distinct([...findings, ...left]) }
}

/** @param expiresIn milliseconds */
export async function reportCertificates(
  gateways: HttpsGateway[],
  expiresIn: number,
  dependencies: ReportNeeds,
): Promise<CertStatusResult> {
  const reports = await Promise.all(gateways.map((gateway) => reportOn(gateway, dependencies)))
  const now = dependencies.clock.now().getTime()
  return {
    certificates: reports.map(({ certificate }) => certificate),
    warnings: reports.flatMap(({ certificate, warnings }) => [...warnings, ...expiring(certificate, expiresIn, now)]),
  }
}

function expiring({ secret, notAfter, daysLeft = 0 }: CertificateReport, expiresIn: number, now: number): Finding[] {
  if (notAfter === undefined || new Date(notAfter).getTime() - now >= expiresIn) return []
  const message =
    daysLeft < 0
      ? `the certificate in ${secret} expired on ${notAfter}`
      : `the certificate in ${secret} expires on ${notAfter}, in ${daysLeft} day${daysLeft === 1 ? '' : 's'}`
  return [
    fails(daysLeft < 0 ? 'CERTIFICATE_EXPIRED' : 'CERTIFICATE_EXPIRES_SOON', message, 'kubectl telemetry cert rotate'),
  ]
}

/** Whether the exit code is 0: no certificate has a failing finding. */
export function succeeded({ warnings }: CertStatusResult): boolean {
  return noneFails(warnings)
}
