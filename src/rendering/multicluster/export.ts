import type { CleanupResult } from '../../multicluster/exporting/cleanup.ts'
import type { ExportReport, ServiceResult } from '../../multicluster/exporting/result.ts'
import { renderDiff } from '../diff.ts'
import { dryRunMark, type OutputFormat, page, renderData, renderObject } from '../output.ts'
import { hopLines } from './verify.ts'

export function renderExport(
  { result, manifests, comparisons }: ExportReport,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
  diff: boolean,
): string {
  if (diff) return renderDiff(comparisons)
  // Manifests of several clusters are no list for kubectl.
  if (format !== undefined) return renderData(dryRun === 'none' ? result : { ...result, manifests }, format)
  const { outcome, services, objects } = result
  if (outcome === 'declined') return 'nothing was changed'
  return page([
    ...objects.map((one) => `${one.cluster}: ${renderObject(one, one.action)}${dryRunMark(dryRun)}`),
    ...services.flatMap((service) => ['', ...serviceLines(service)]),
  ])
}

function serviceLines(service: ServiceResult): string[] {
  const { host, name, to, ports, address, endpoints, via, into, subsets, identities, dns } = {
    ...service,
    name: `${service.namespace}/${service.service}`,
  }
  const where = into === undefined ? `all pods of ${to}` : `pods of ${to} in namespace ${into}`
  return [
    `${host}  Service ${name} of ${service.in.join(' and ')}, for ${where}`,
    `address     ${address} (${NAMES[dns]})`,
    `ports       ${ports.map(({ number, protocol }) => `${number} ${protocol}`).join(', ')}`,
    ...(via === undefined ? [] : [`through     the egress gateway ${via}`]),
    `gateway     ${endpoints.map(({ cluster, address: one, port }) => `${cluster} ${withPort(one, port)}`).join(', ')}`,
    `identities  ${identities.join(', ')}`,
    ...(subsets.length === 0 ? [] : [`subsets     ${subsets.join(', ')}`]),
    ...callLines(service),
  ]
}

function callLines({ from, hops = [], ports }: ServiceResult): string[] {
  return from === undefined
    ? []
    : [
        '',
        `called from ${from}`,
        ...hopLines(
          ports.map(({ number }) => number),
          hops,
        ),
      ]
}

const NAMES = {
  coredns: 'CoreDNS answers with it',
  proxy: 'sidecars answer with it',
  none: 'no name leads to it: your DNS has to answer',
}

function withPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

export function renderExportCleanup(
  result: CleanupResult,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
): string {
  if (format !== undefined) return renderData(result, format)
  const { outcome, objects, remaining } = result
  if (outcome === 'declined') return 'nothing was changed'
  if (objects.length + remaining.length === 0)
    return 'nothing to remove: the clusters have nothing that this command removes'
  return page([
    ...objects.map((one) => `${one.cluster}: ${renderObject(one, one.action)}${dryRunMark(dryRun)}`),
    ...remaining.map((one) => `NOT REMOVED: ${one.cluster}: ${renderObject(one, `in namespace ${one.namespace}`)}`),
  ])
}
