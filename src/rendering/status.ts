import { guardWords } from '../access/guard.ts'
import type { AddonStatus, StatusReport } from '../status/status.ts'
import { VIA } from './expose.ts'
import { renderWarnings } from './findings.ts'
import { type OutputFormat, renderData, renderTable } from './output.ts'

/** One screen. As data one JSON object a line when there are several, or a YAML document each. */
export function renderStatus(report: StatusReport, format: OutputFormat | undefined, several = false): string {
  if (format === 'json') return several ? JSON.stringify(report) : renderData(report, 'json')
  if (format === 'yaml') return `${several ? '---\n' : ''}${renderData(report, 'yaml')}`
  const problems = renderWarnings(report.problems)
  return [
    ...heading(report),
    '',
    renderTable([['ADD-ON', 'WHERE', 'READY', 'URL', 'ANSWER', 'WHO MAY ENTER', 'UNTIL'], ...report.addons.map(row)]),
    ...asides(report),
    ...(problems === '' ? [] : ['', problems]),
  ].join('\n')
}

function heading({ context, gateway }: StatusReport): string[] {
  const { namespace, service, address, via } = gateway ?? {}
  const where = address === undefined || via === undefined ? 'not reached from outside' : `at ${address} (${VIA[via]})`
  return [
    `context      ${context}`,
    `gateway      ${gateway === undefined ? 'nothing is exposed' : `${namespace}/${service ?? '?'} ${where}`}`,
  ]
}

function row({ name, found, exposure, access, expiresAt }: AddonStatus): string[] {
  const where = found === undefined ? 'not found' : `${found.namespace}/${found.service}`
  const ready = found?.ready === undefined ? '-' : `${found.ready}/${found.pods}`
  if (exposure === undefined) return [name, where, ready, found === undefined ? '-' : 'not exposed', '-', '-', '-']
  return [name, where, ready, exposure.url, answer(exposure), whoEnters(access), expiresAt ?? 'for good']
}

function answer({ probe }: NonNullable<AddonStatus['exposure']>): string {
  if (probe === undefined) return 'not asked'
  if (!probe.ok) return `NONE (${probe.hop})`
  return String(probe.status)
}

function whoEnters({ addon, guard }: AddonStatus['access']): string {
  if (guard !== undefined) return guardWords(guard)
  switch (addon?.kind) {
    case 'anonymous':
      return `anyone, as ${addon.role}`
    case 'login':
      return 'whoever logs in'
    default:
      return 'not known'
  }
}

function asides(report: StatusReport): string[] {
  const exposed = report.addons.filter(({ exposure }) => exposure !== undefined)
  const visitors = exposed.flatMap(({ name, access: { visitor } }) =>
    visitor ? [`visitor      ${name}: ${visitor}`] : [],
  )
  const lines = [...visitors, ...certificates(report)]
  return lines.length === 0 ? [] : ['', ...lines]
}

function certificates({ addons }: StatusReport): string[] {
  const each = new Map(addons.flatMap(({ certificate }) => (certificate ? [[certificate.secret, certificate]] : [])))
  return [...each.values()].map(({ secret, daysLeft, trusted }) => {
    const left = daysLeft === undefined ? 'none in it' : `${daysLeft} days left`
    return `certificate  ${secret}, ${left}, ${trusted ? 'trusted' : 'not trusted'} on this machine`
  })
}
