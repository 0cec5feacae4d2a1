import type { ScrapeStatusResult, WorkloadStatus } from '../scraping/status-result.ts'
import { sh } from '../shell.ts'
import { type OutputFormat, page, renderData, tableLines } from './output.ts'
import { scraperLines } from './scrape-secure.ts'

/** @param namespaces the searched namespaces; empty: all */
export function renderScrapeStatus(
  result: ScrapeStatusResult,
  namespaces: string[],
  format: OutputFormat | undefined,
): string {
  if (format !== undefined) return renderData(result, format)
  const { workloads } = result
  const rows = workloads.map((one) => row(one, result))
  const table = tableLines([['NAMESPACE', 'WORKLOAD', 'METHOD', 'PODS', 'UP', 'PLAINTEXT'], ...rows])
  const lines = [...scraperLines(result), ...closing(result), ...others(result, namespaces), ...leftOutLines(result)]
  const none = result.unread ? 'cannot tell which workloads are' : 'no workload is'
  return page([
    ...(workloads.length === 0 ? [`${none} scraped over Istio mutual TLS${placeOf(namespaces)}`] : table),
    ...(lines.length > 0 ? [''] : []),
    ...lines,
  ])
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
    open.length > 0 ? open.join(',') : unknown ? 'unknown' : 'none',
  ]
}

function closing({ workloads, plaintext }: ScrapeStatusResult): string[] {
  const isOpen = (one: WorkloadStatus) => plaintext.open.some((port) => port.startsWith(pathOf(one)))
  const open = workloads.filter((one) => isOpen(one) && !one.hardened)
  if (open.length === 0) return []
  const count = `${open.length} of ${workloads.length} workload${workloads.length > 1 ? 's' : ''}`
  const [first, ...more] = hardening(open)
  return [
    `plaintext    ${count} still ${open.length > 1 ? 'serve their' : 'serves its'} metrics without TLS`,
    `close it     ${first}`,
    ...more.map((line) => `             ${line}`),
  ]
}

/** Commands for only these workloads: a namespace or `-A` would select others too. They keep the present method, even if `auto` would choose another. */
function hardening(open: WorkloadStatus[]): string[] {
  const groups = Map.groupBy(
    open,
    ({ namespace, method }) => `${sh`-n ${namespace}`}${method === 'sidecar' ? ' --method sidecar' : ''}`,
  )
  if (groups.size > FEW || open.length > 2 * FEW)
    return ['kubectl telemetry scrape-secure WORKLOAD... -n NAMESPACE --harden']
  return [...groups].map(
    ([flags, all]) => `${sh`kubectl telemetry scrape-secure ${all.map(nameOf)}`} ${flags} --harden`,
  )
}

/** The most commands that are printed. */
const FEW = 4

function nameOf({ kind, name }: WorkloadStatus): string {
  return `${kind.toLowerCase()}/${name}`
}

/** The beginning of the plaintext ports of a workload. */
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
  return [`not secured  ${counts.join(' and ')}: kubectl telemetry scrape-secure ${scope(namespaces)}${flag}`]
}

/** Workloads of other kinds, one line for each. */
function leftOutLines({ leftOut = [] }: ScrapeStatusResult): string[] {
  return leftOut.map(({ kind, namespace, name, reason, code }, index) => {
    const title = index === 0 ? 'left out   ' : '           '
    return `${title}  ${namespace}/${kind.toLowerCase()}/${name}: ${reason} (${code})`
  })
}

/** The flags of `scrape-secure` that select these namespaces. */
function scope(namespaces: string[]): string {
  return namespaces.length === 0 ? '-A' : namespaces.map((namespace) => sh`-n ${namespace}`).join(' ')
}
