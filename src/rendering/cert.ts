import type { CertificatesChanged } from '../certifying/change.ts'
import type { CertCreateResult } from '../certifying/create.ts'
import type { CertExportResult } from '../certifying/export.ts'
import type { CertificateReport } from '../certifying/report.ts'
import type { CertRotateResult } from '../certifying/rotate.ts'
import type { Rotation } from '../certifying/rotate-authority.ts'
import type { CertStatusResult } from '../certifying/status.ts'
import { dryRunMark, type OutputFormat, renderData, renderObject, renderTable } from './output.ts'

const NOTHING = 'nothing is exposed over HTTPS'

export function renderCertStatus(result: CertStatusResult, format: OutputFormat | undefined): string {
  if (format !== undefined) return renderData(result, format)
  if (result.certificates.length === 0) return NOTHING
  return renderCertificates(result.certificates)
}

/** What was changed, then the certificates as they are now. */
function renderCertificatesChanged(
  result: CertificatesChanged,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
): string {
  if (format !== undefined) return renderData(result, format)
  if (result.outcome === 'declined') return 'nothing was changed'
  if (result.certificates.length === 0) return NOTHING
  const objects = result.objects.map((object) => renderObject(object, `${object.action}${dryRunMark(dryRun)}`))
  return result.outcome === 'planned'
    ? objects.join('\n')
    : [...objects, '', renderCertificates(result.certificates)].join('\n')
}

/** The same, and what clients are to do now. */
export function renderCertRotate(
  result: CertRotateResult,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
): string {
  const page = renderCertificatesChanged(result, dryRun, format)
  return format !== undefined || result.outcome !== 'applied'
    ? page
    : [page, ...result.rotations.flatMap((rotation) => ['', ...nextSteps(rotation)])].join('\n')
}

function nextSteps({ domain, stage, certificate, old, new: coming }: Rotation): string[] {
  const authorities = [`  old          ${old.fingerprint}`, `  new          ${coming.fingerprint}`]
  if (stage === 'finished')
    return [
      `the new authority of ${domain} signs; the old one is forgotten`,
      ...authorities,
      `  trusted by   ${certificate}`,
    ]
  return [
    `the old authority of ${domain} signs, and clients are to trust the new one too`,
    ...authorities,
    `  both are in  ${certificate}; kubectl telemetry cert export ca; kubectl telemetry cert trust`,
    '  then         kubectl telemetry cert rotate --finish',
  ]
}

/** A table, then every name, issuer and fingerprint in full. */
export function renderCertificates(certificates: CertificateReport[]): string {
  const rows = certificates.map((certificate) => [
    certificate.secret,
    certificate.daysLeft === undefined ? '-' : String(certificate.daysLeft),
    certificate.notAfter?.slice(0, 10) ?? '-',
    servedWord(certificate),
    certificate.trusted ? 'yes' : 'no',
  ])
  const table = renderTable([['SECRET', 'DAYS LEFT', 'UNTIL', 'SERVED', 'TRUSTED HERE'], ...rows])
  return [table, ...certificates.flatMap((certificate) => ['', ...details(certificate)])].join('\n')
}

function servedWord({ served }: CertificateReport): string {
  if (served === undefined) return 'not seen'
  return served.matches ? 'yes' : 'ANOTHER ONE'
}

function details({ secret, hosts, issuer, fingerprint, served, authority }: CertificateReport): string[] {
  return [
    secret,
    `  names        ${hosts.join(', ')}`,
    ...(issuer === undefined ? [] : [`  issuer       ${issuer}`]),
    ...(issuer === undefined ? [] : [`  authority    ${whereabouts(authority)}`]),
    ...(fingerprint === undefined ? [] : [`  fingerprint  ${fingerprint}`]),
    ...(served === undefined || served.matches ? [] : [`  served       ${served.fingerprint}`]),
  ]
}

function whereabouts({ here, signedOn, next }: CertificateReport['authority']): string {
  if (here) return next === undefined ? 'on this machine' : `on this machine; ${next} comes next (cert rotate --finish)`
  return `not on this machine${signedOn === undefined ? '' : `; ${signedOn} signed with it`}`
}

export function renderCertCreate(result: CertCreateResult, format: OutputFormat | undefined): string {
  if (format !== undefined) return renderData(result, format)
  const { domain, certificate, action, daysLeft, fingerprint } = result
  return [
    `authority of ${domain} ${action}`,
    `  certificate  ${certificate} (${daysLeft} days left)`,
    `  fingerprint  ${fingerprint}`,
    '  trust it     kubectl telemetry cert trust',
  ].join('\n')
}

export function renderCertExport(result: CertExportResult, format: OutputFormat | undefined): string {
  if (format !== undefined) return renderData(result, format)
  return result.pem?.trimEnd() ?? `${result.what} of ${result.secret} written to ${result.file}`
}

/** Beside the answer, which may go to a file; as data it is in the answer. */
export function renderPassword({ password }: CertExportResult, format: OutputFormat | undefined): string {
  return password === undefined || format !== undefined ? '' : `password: ${password}   # shown this once`
}
