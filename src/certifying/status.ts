/** How the certificates are: what the Secrets have, what the gateways serve, how long it lasts, who trusts it. Changes nothing. */
import type { Dependencies, Warning } from '../world.ts'
import { findHttpsGateways, type GatewayChoice, type HttpsGateway } from './https-gateways.ts'
import { type CertificateReport, isSound, type Reporting, reportOn } from './report.ts'

export interface CertStatusRequest extends GatewayChoice {
  /** Milliseconds: a certificate with less time left is reported as failing. */
  expiresIn: number
}

export interface CertStatusResult {
  certificates: CertificateReport[]
  warnings: Warning[]
}

type Needs = Reporting & Pick<Dependencies, 'cluster'>

export async function certStatus(request: CertStatusRequest, dependencies: Needs): Promise<CertStatusResult> {
  return reportCertificates(await findHttpsGateways(request, dependencies.cluster), request.expiresIn, dependencies)
}

/** @param expiresIn milliseconds */
export async function reportCertificates(
  gateways: HttpsGateway[],
  expiresIn: number,
  dependencies: Reporting,
): Promise<CertStatusResult> {
  const reports = await Promise.all(gateways.map((gateway) => reportOn(gateway, dependencies)))
  const now = dependencies.clock.now().getTime()
  return {
    certificates: reports.map(({ certificate }) => certificate),
    warnings: reports.flatMap(({ certificate, warnings }) => [...warnings, ...expiring(certificate, expiresIn, now)]),
  }
}

function expiring({ secret, notAfter, daysLeft = 0 }: CertificateReport, expiresIn: number, now: number): Warning[] {
  if (notAfter === undefined || new Date(notAfter).getTime() - now >= expiresIn) return []
  const message =
    daysLeft < 0
      ? `the certificate in ${secret} expired on ${notAfter}`
      : `the certificate in ${secret} expires on ${notAfter}, in ${daysLeft} day${daysLeft === 1 ? '' : 's'}`
  return [{ code: daysLeft < 0 ? 'EXPIRED' : 'EXPIRES_SOON', message, remedy: 'kubectl telemetry cert rotate' }]
}

/** Whether the exit code is 0: everything lasts, is whole, and is what is served. */
export function succeeded({ warnings }: CertStatusResult): boolean {
  return warnings.every(isSound)
}
