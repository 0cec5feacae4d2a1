import type { CertificateChangeResult } from '../certifying/change.ts'
import type { CertCreateResult } from '../certifying/create.ts'
import type { CertExportResult } from '../certifying/export.ts'
import type { CertificateReport } from '../certifying/report.ts'
import type { CertRotateResult, Rotation } from '../certifying/rotation.ts'
import type { CertStatusResult } from '../certifying/status.ts'
import { authorityLines } from './cert-trust.ts'
import { findingLines } from './findings.ts'
import { dryRunMark, type OutputFormat, page, renderData, renderObject, tableLines } from './output.ts'

const NOTHING = 'nothing is exposed over HTTPS'

export function renderCertStatus(result: CertStatusResult, format: OutputFormat | undefined): string {
  if (format !== undefined) return renderData(result, format)
  if (result.certificates.length === 0) return NOTHING
  return page(certificateLines(result.certificates))
}

/** The changed objects, then all certificates. */
function renderCertificatesChanged(
  result: CertificateChangeResult,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
): string {
  if (format !== undefined) return renderData(result, format)
  if (result.outcome === 'declined') return 'nothing was changed'
  if (result.certificates.length === 0) return NOTHING
  const objects = result.objects.map((object) => renderObject(object, `${object.action}${dryRunMark(dryRun)}`))
  return result.outcome === 'planned' ? page(objects) : page([...objects, '', ...certificateLines(result.certificates)])
}

/** The changed certificates and, during a rotation of the CA, the next steps. */
export function renderCertRotate(
  result: CertRotateResult,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
): string {
  const changed = renderCertificatesChanged(result, dryRun, format)
  if (format !== undefined || result.outcome !== 'applied') return changed
  const steps = result.rotations.flatMap((rotation) => ['', ...nextSteps(rotation)])
  return steps.length === 0 ? changed : `${changed}\n${page(steps)}`
}

function nextSteps({ domain, stage, certificate, old, new: coming }: Rotation): string[] {
  const fingerprints = [`  old          ${old.fingerprint}`, `  new          ${coming.fingerprint}`]
  if (stage === 'finished')
    return [
      `the new CA of ${domain} signs now; the old CA was removed from this machine`,
      ...fingerprints,
      `  CA file      ${certificate}`,
    ]
  return [
    `the old CA of ${domain} still signs; let clients trust both CAs, then finish`,
    ...fingerprints,
    `  both are in  ${certificate}`,
    '  trust both   kubectl telemetry cert trust   # for other clients: kubectl telemetry cert export ca',
    '  then         kubectl telemetry cert rotate --finish',
  ]
}

/** A table, then every name, issuer and fingerprint in full. */
function certificateLines(certificates: CertificateReport[]): string[] {
  const rows = certificates.map((certificate) => [
    certificate.secret,
    certificate.daysLeft === undefined ? '-' : String(certificate.daysLeft),
    certificate.notAfter?.slice(0, 10) ?? '-',
    servedWord(certificate),
    certificate.trusted ? 'yes' : 'no',
  ])
  const table = tableLines([['SECRET', 'DAYS LEFT', 'EXPIRES', 'SERVED', 'TRUSTED HERE'], ...rows])
  return [...table, ...certificates.flatMap((certificate) => ['', ...details(certificate)])]
}

function servedWord({ served }: CertificateReport): string {
  if (served === undefined) return 'unknown'
  return served.matches ? 'yes' : 'DIFFERS'
}

function details({ secret, hosts, issuer, fingerprint, served, authority }: CertificateReport): string[] {
  return [
    secret,
    `  names        ${hosts.join(', ')}`,
    ...(issuer === undefined ? [] : [`  issuer       ${issuer}`]),
    ...(issuer === undefined ? [] : [`  CA           ${placeOf(authority)}`]),
    ...(fingerprint === undefined ? [] : [`  fingerprint  ${fingerprint}`]),
    ...(served === undefined || served.matches ? [] : [`  served       ${served.fingerprint}`]),
  ]
}

function placeOf({ here, signedOn, next }: CertificateReport['authority']): string {
  if (here)
    return next === undefined ? 'on this machine' : `on this machine; the new CA is ${next} (cert rotate --finish)`
  return `not on this machine${signedOn === undefined ? '' : `; ${signedOn} signed with it`}`
}

export function renderCertCreate(result: CertCreateResult, format: OutputFormat | undefined): string {
  if (format !== undefined) return renderData(result, format)
  const { domain, certificate, action, daysLeft, fingerprint } = result
  return page([
    `CA of ${domain} ${action}`,
    `  certificate  ${certificate} (${daysLeft} days left)`,
    `  fingerprint  ${fingerprint}`,
    '  trust it     kubectl telemetry cert trust',
  ])
}

export function renderCertExport(result: CertExportResult, format: OutputFormat | undefined): string {
  if (format !== undefined) return renderData(result, format)
  return result.pem?.trimEnd() ?? page([`${result.what} of ${result.secret} written to ${result.file}`])
}

/** For stderr, because stdout may be a file. With -o the password is part of the result. */
export function renderExported(result: CertExportResult, format: OutputFormat | undefined): string {
  const { password, authorities, warnings } = result
  const secret = password === undefined ? [] : [`password: ${password}   # shown only now`]
  const shown = format === undefined ? [...authorities.flatMap(authorityLines), ...secret] : []
  return page([...shown, ...findingLines(warnings)])
}
