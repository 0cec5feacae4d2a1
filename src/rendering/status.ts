import type { AddonStatus, StatusReport } from '../status/report.ts'
import { VIA } from './expose.ts'
import { findingLines } from './findings.ts'
import { guardWords } from './guard.ts'
import { type OutputFormat, page, renderData, renderDataLine, tableLines } from './output.ts'

/** One screen. As data one JSON object a line when there are several, or a YAML document each. */
export function renderStatus(report: StatusReport, format: OutputFormat | undefined, several = false): string {
  if (format === 'json') return several ? renderDataLine(report) : renderData(report, 'json')
  if (format === 'yaml') return `${several ? '---\n' : ''}${renderData(report, 'yaml')}`
  const problems = findingLines(report.problems)
  return page([
    ...heading(report),
    '',
    ...tableLines([['NAME', 'SERVICE', 'READY', 'URL', 'ANSWER', 'ACCESS', 'EXPIRES'], ...everything(report).map(row)]),
    ...details(report),
    ...(problems.length === 0 ? [] : ['', ...problems]),
  ])
}

function everything({ addons, services }: StatusReport): AddonStatus[] {
  return [...addons, ...services]
}

function heading({ context, gateway }: StatusReport): string[] {
  const { namespace, service, address, via } = gateway ?? {}
  const where =
    address === undefined || via === undefined
      ? 'without an address outside the cluster'
      : `at ${address} (${VIA[via]})`
  return [
    `context      ${context}`,
    `gateway      ${gateway === undefined ? 'nothing is exposed' : `${namespace}/${service ?? '?'} ${where}`}`,
  ]
}

function row({ name, found, exposure, access, expiresAt }: AddonStatus): string[] {
  const where = found === undefined ? 'not found' : `${found.namespace}/${found.service}`
  const ready = found?.ready === undefined ? '-' : `${found.ready}/${found.pods}`
  if (exposure === undefined) return [name, where, ready, found === undefined ? '-' : 'not exposed', '-', '-', '-']
  return [name, where, ready, exposure.url, answer(exposure), whoEnters(access), expiresAt ?? 'never']
}

function answer({ probe }: NonNullable<AddonStatus['exposure']>): string {
  if (probe === undefined) return 'not checked'
  if (!probe.ok) return `FAILED (${probe.hop})`
  return String(probe.status)
}

function whoEnters({ addon, guard, anonymous }: AddonStatus['access']): string {
  if (guard !== undefined) return guardWords(guard)
  if (addon?.kind === 'unknown' && anonymous) return 'anyone'
  switch (addon?.kind) {
    case 'anonymous':
      return `anyone, as ${addon.role}`
    case 'login':
      return 'users who log in'
    default:
      return 'unknown'
  }
}

function details(report: StatusReport): string[] {
  const exposed = everything(report).filter(({ exposure }) => exposure !== undefined)
  const visitors = exposed.flatMap(({ name, access: { visitor } }) =>
    visitor ? [`visitor      ${name}: ${visitor}`] : [],
  )
  const lines = [...visitors, ...certificates(report)]
  return lines.length === 0 ? [] : ['', ...lines]
}

function certificates(report: StatusReport): string[] {
  const each = new Map(
    everything(report).flatMap(({ certificate }) => (certificate ? [[certificate.secret, certificate]] : [])),
  )
  return [...each.values()].map(({ secret, daysLeft, trusted }) => {
    const left = daysLeft === undefined ? 'no certificate' : `${daysLeft} days left`
    return `certificate  ${secret}, ${left}, ${trusted ? 'trusted' : 'not trusted'} on this machine`
  })
}
