import type { ScrapeStatusResult, WorkloadStatus } from '../scraping/status.ts'
import { type OutputFormat, renderData, renderTable } from './output.ts'
import { scraperLines } from './scrape-secure.ts'

/** @param namespaces where was looked; none: all */
export function renderScrapeStatus(
  result: ScrapeStatusResult,
  namespaces: string[],
  format: OutputFormat | undefined,
): string {
  if (format !== undefined) return renderData(result, format)
  const { workloads } = result
  const rows = workloads.map((one) => row(one, result))
  const table = renderTable([['NAMESPACE', 'WORKLOAD', 'METHOD', 'PODS', 'UP', 'IN CLEAR'], ...rows])
  const lines = [...scraperLines(result), ...closing(result), ...others(result, namespaces)]
  const isKnown = result.warnings.every(({ code }) => code !== 'UNREAD')
  const none = isKnown ? 'no workload is' : 'it could not be read which workloads are'
  return [
    workloads.length === 0 ? `${none} scraped over Istio mutual TLS${placeOf(namespaces)}` : table,
    ...(lines.length > 0 ? [''] : []),
    ...lines,
  ].join('\n')
}

function placeOf(namespaces: string[]): string {
  if (namespaces.length === 0) return ''
  return ` in namespace${namespaces.length > 1 ? 's' : ''} ${namespaces.join(', ')}`
}

function row(one: WorkloadStatus, { plaintext }: ScrapeStatusResult): string[] {
  const path = pathOf(one)
  const ports = (all: string[]) => all.filter((port) => port.startsWith(path)).map((port) => port.slice(path.length))
  const open = ports(plaintext.open)
  const unknown = ports(plaintext.unchecked).length > 0
  return [
    one.namespace,
    nameOf(one),
    one.method,
    `${one.secured}/${one.pods}`,
    one.targets === undefined ? '-' : `${one.targets.up}/${one.targets.total}`,
    open.length > 0 ? open.join(',') : unknown ? 'not known' : 'nothing',
  ]
}

function closing({ workloads, plaintext }: ScrapeStatusResult): string[] {
  const isOpen = (one: WorkloadStatus) => plaintext.open.some((port) => port.startsWith(pathOf(one)))
  const open = workloads.filter((one) => isOpen(one) && !one.hardened)
  if (open.length === 0) return []
  const count = `${open.length} of ${workloads.length} workload${workloads.length > 1 ? 's' : ''}`
  const [first, ...more] = hardening(open)
  return [
    `in clear     ${count} ${open.length > 1 ? 'serve' : 'serves'} the metrics to anybody, too`,
    `close it     ${first}`,
    ...more.map((line) => `             ${line}`),
  ]
}

/** For these alone: a namespace or `-A` would take others in. What method was chosen stays, whatever `auto` would choose. */
function hardening(open: WorkloadStatus[]): string[] {
  const groups = Map.groupBy(
    open,
    ({ namespace, method }) => `-n ${namespace}${method === 'sidecar' ? ' --method sidecar' : ''}`,
  )
  if (groups.size > FEW || open.length > 2 * FEW)
    return ['kubectl telemetry scrape-secure WORKLOAD... -n NAMESPACE --harden']
  return [...groups].map(
    ([flags, all]) => `kubectl telemetry scrape-secure ${all.map(nameOf).join(' ')} ${flags} --harden`,
  )
}

/** So many commands are read; more are only in the way. */
const FEW = 4

function nameOf({ kind, name }: WorkloadStatus): string {
  return `${kind.toLowerCase()}/${name}`
}

/** As ports in clear begin. */
function pathOf(one: WorkloadStatus): string {
  return `${one.namespace}/${nameOf(one)}:`
}

function others({ unsecured: { sidecars, gateways } }: ScrapeStatusResult, namespaces: string[]): string[] {
  const counts = [
    ...(sidecars > 0 ? [`${sidecars} workload${sidecars > 1 ? 's' : ''} with a sidecar`] : []),
    ...(gateways > 0 ? [`${gateways} gateway${gateways > 1 ? 's' : ''}`] : []),
  ]
  if (counts.length === 0) return []
  const flag = gateways > 0 ? ' --gateways' : ''
  return [`not yet      ${counts.join(' and ')}: kubectl telemetry scrape-secure ${scope(namespaces)}${flag}`]
}

/** As `scrape-secure` takes it. */
function scope(namespaces: string[]): string {
  return namespaces.length === 0 ? '-A' : namespaces.map((namespace) => `-n ${namespace}`).join(' ')
}
