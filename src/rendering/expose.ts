import { guardWords } from '../access/guard.ts'
import type { ExposedAddon, ExposeReport, ExposeResult } from '../exposing/result.ts'
import { renderWarnings } from './findings.ts'
import { dryRunMark, type OutputFormat, renderObject, renderTable } from './output.ts'
import { renderPlan } from './plan.ts'

/** Where an address of the gateway was found. */
export const VIA: Record<ExposeResult['gateway']['via'], string> = {
  flag: 'as you named it',
  'load-balancer': 'its load balancer',
  'external-ip': 'its external IP',
  'node-port': 'a node and its node port',
}

/** What the gateway's own answer means: the way to the page works. */
const REFUSALS: Record<number, string> = { 401: 'asks for a login', 403: 'keeps this machine out' }

/** The answer on stdout. */
export function renderExpose(
  report: ExposeReport,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
  diff = false,
): string {
  const asked = renderPlan(report, dryRun, format, diff)
  if (asked !== undefined) return asked
  const { result } = report
  const objects = result.objects.map((object) => renderObject(object, `${object.action}${dryRunMark(dryRun)}`))
  if (result.outcome === 'declined') return 'nothing was changed'
  if (result.outcome === 'planned') return objects.join('\n')
  return [...objects, '', exposureTable(result), '', ...footer(result)].join('\n')
}

/** What belongs on stderr beside the answer. */
export function renderExposeWarnings(
  { result }: ExposeReport,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
): string {
  const showsKey = dryRun !== 'none' && format !== undefined
  const key = {
    code: 'PRIVATE_KEY_SHOWN',
    message: 'this output has the private key of the TLS Secret in it',
    remedy: 'keep it as you would keep the Secret',
  }
  return renderWarnings([...(showsKey ? [key] : []), ...result.warnings])
}

function exposureTable(result: ExposeResult): string {
  const rows = result.exposures.map((exposure) => [
    exposure.addon,
    exposure.namespace,
    exposure.url,
    answerOf(exposure),
  ])
  return renderTable([['ADD-ON', 'NAMESPACE', 'URL', 'ANSWER'], ...rows])
}

function answerOf({ probe }: ExposedAddon): string {
  if (probe === undefined) return ''
  if (probe.hop === 'access' && probe.ok)
    return `${probe.status} by ${probe.protocol}: ${REFUSALS[probe.status ?? 0] ?? 'leads to a login'}`
  if (probe.ok) return `${probe.status} by ${probe.protocol} in ${probe.milliseconds} ms`
  return `FAILED at ${probe.hop}: ${probe.message ?? `HTTP ${probe.status}`}`
}

function footer({ gateway, exposures, authority, credentials }: ExposeResult): string[] {
  const [first] = exposures
  const ports = [...new Set(exposures.map(({ port }) => port ?? 0))].sort((a, b) => a - b)
  const at = `${gateway.address} port${ports.length > 1 ? 's' : ''} ${ports.join(', ')}`
  return [
    `gateway      ${gateway.namespace}/${gateway.service} at ${at} (${VIA[gateway.via]})`,
    ...exposures.flatMap(({ addon, visitor }) => (visitor === undefined ? [] : [`visitor      ${addon}: ${visitor}`])),
    ...exposures.flatMap(({ addon, guard }) =>
      guard === undefined ? [] : [`lets in      ${addon}: ${guardWords(guard)}`],
    ),
    ...(credentials === undefined ? [] : [passwordLine(credentials)]),
    ...exposures.flatMap(({ addon, expiresAt }) =>
      expiresAt === undefined ? [] : [`expires      ${addon}: ${expiresAt}`],
    ),
    ...(authority === undefined ? [] : [authorityLine(authority)]),
    ...(first === undefined ? [] : [`try          ${curl(first, gateway.address, authority)}`]),
    'end it       kubectl telemetry cleanup',
  ]
}

function passwordLine({ user, password, addons }: NonNullable<ExposeResult['credentials']>): string {
  return `password     ${user}:${password} for ${addons.join(', ')}; shown this once, the cluster has its hash alone`
}

function authorityLine({ certificate, daysLeft }: NonNullable<ExposeResult['authority']>): string {
  return `authority    ${certificate} (${daysLeft} days left); to trust it: kubectl telemetry cert trust`
}

function curl({ host, port, url, guard }: ExposedAddon, address: string, authority: ExposeResult['authority']): string {
  const trust = authority === undefined ? '' : `--cacert ${authority.certificate} `
  // curl asks for the password itself.
  const user = guard?.login?.kind === 'basic' ? `-u ${guard.login.users[0]} ` : ''
  return `curl ${trust}${user}--resolve ${host}:${port}:${bracketed(address)} ${url}`
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}
