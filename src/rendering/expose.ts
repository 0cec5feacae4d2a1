import { isIP } from 'node:net'
import type { ExposedAddon, ExposeReport, ExposeResult } from '../exposing/result.ts'
import { warns } from '../findings.ts'
import { shellCommand } from '../shell.ts'
import { renderFindings } from './findings.ts'
import { guardWords } from './guard.ts'
import { dryRunMark, type OutputFormat, page, renderObject, tableLines } from './output.ts'
import { renderPlan } from './plan.ts'

/** How the address of the gateway was found. */
export const VIA: Record<ExposeResult['gateway']['via'], string> = {
  flag: 'from --ingress-ip',
  'load-balancer': 'its load balancer',
  'external-ip': 'its external IP',
  'node-port': 'a node and its node port',
  'host-network': 'a node, whose network its pods use',
}

/** Answers of the gateway itself, which prove that the page can be reached. */
const REFUSALS: Record<number, string> = { 401: 'asks for a login', 403: 'refuses this machine' }

/** The answer on stdout. */
export function renderExpose(
  report: ExposeReport,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
  diff = false,
): string {
  const planPage = renderPlan(report, dryRun, format, diff)
  if (planPage !== undefined) return planPage
  const { result } = report
  const objects = result.objects.map((object) => renderObject(object, `${object.action}${dryRunMark(dryRun)}`))
  if (result.outcome === 'declined') return 'nothing was changed'
  if (result.outcome === 'planned') return page(objects)
  return page([...objects, '', ...exposureTable(result), '', ...footer(result)])
}

/** The warnings, for stderr. */
export function renderExposeWarnings(
  { result }: ExposeReport,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
): string {
  const showsKey = dryRun !== 'none' && format !== undefined
  const key = warns(
    'PRIVATE_KEY_SHOWN',
    'this output contains the private key of the TLS Secret',
    'protect it like the Secret',
  )
  return renderFindings([...(showsKey ? [key] : []), ...result.warnings])
}

function exposureTable(result: ExposeResult): string[] {
  const rows = result.exposures.map((exposure) => [
    titleOf(exposure),
    `${exposure.namespace}/${exposure.service}`,
    exposure.url,
    answerOf(exposure),
  ])
  return tableLines([['NAME', 'SERVICE', 'URL', 'ANSWER'], ...rows])
}

function titleOf({ addon, service }: Pick<ExposedAddon, 'addon' | 'service'>): string {
  return addon ?? `svc/${service}`
}

function answerOf({ probe }: ExposedAddon): string {
  if (probe === undefined) return ''
  if (probe.hop === 'access' && probe.ok)
    return `${probe.status} over ${probe.protocol}: ${REFUSALS[probe.status ?? 0] ?? 'leads to a login'}`
  if (probe.ok) return `${probe.status} over ${probe.protocol} in ${probe.milliseconds} ms`
  return `FAILED at ${probe.hop}: ${probe.message ?? `HTTP ${probe.status}`}`
}

function footer({ gateway, exposures, authority, credentials }: ExposeResult): string[] {
  const [first] = exposures
  const ports = [...new Set(exposures.map(({ port }) => port ?? 0))].sort((a, b) => a - b)
  const at = `${gateway.address} port${ports.length > 1 ? 's' : ''} ${ports.join(', ')}`
  return [
    `gateway      ${gateway.namespace}/${gateway.service} at ${at} (${VIA[gateway.via]})`,
    ...exposures.flatMap(({ visitor, ...one }) => (visitor ? [`visitor      ${titleOf(one)}: ${visitor}`] : [])),
    ...exposures.flatMap(({ paths, ...one }) =>
      paths ? [`paths        ${titleOf(one)}: only ${paths.join(', ')}`] : [],
    ),
    ...exposures.flatMap(({ guard, ...one }) => (guard ? [`access       ${titleOf(one)}: ${guardWords(guard)}`] : [])),
    ...(credentials === undefined ? [] : [passwordLine(credentials)]),
    ...exposures.flatMap(({ expiresAt, ...one }) => (expiresAt ? [`expires      ${titleOf(one)}: ${expiresAt}`] : [])),
    ...(authority === undefined ? [] : [authorityLine(authority)]),
    ...(first === undefined ? [] : [`try          ${curl(first, gateway.address, authority)}`]),
    'undo         kubectl telemetry cleanup',
  ]
}

function passwordLine({ user, password, addons }: NonNullable<ExposeResult['credentials']>): string {
  return `password     ${user}:${password} for ${addons.join(', ')}; shown only now; the cluster stores only its hash`
}

function authorityLine({ certificate, daysLeft }: NonNullable<ExposeResult['authority']>): string {
  return `CA           ${certificate} (${daysLeft} days left); to trust it: kubectl telemetry cert trust`
}

function curl({ host, port, url, guard }: ExposedAddon, address: string, authority: ExposeResult['authority']): string {
  const trust = authority === undefined || !url.startsWith('https:') ? [] : ['--cacert', authority.certificate]
  // curl asks for the password itself.
  const user = guard?.login?.kind === 'basic' ? ['-u', guard.login.users[0] ?? ''] : []
  const resolve = isIP(host) === 0 ? ['--resolve', `${host}:${port}:${bracketed(address)}`] : []
  return shellCommand(['curl', ...trust, ...user, ...resolve, url])
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}
