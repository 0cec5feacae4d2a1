/** Results of `multicluster` as text. Pure. */
import type { ConnectResult } from '../multicluster/connect.ts'
import { dryRunMark, type OutputFormat, page, renderData, renderObject, tableLines } from './output.ts'

type DryRun = 'none' | 'client' | 'server'

export function renderConnect(result: ConnectResult, dryRun: DryRun, format: OutputFormat | undefined): string {
  if (format !== undefined) return renderData(result, format)
  if (result.outcome === 'declined') return 'nothing was changed'
  return page([
    ...objectLines(result.objects, dryRun),
    ...(result.objects.length === 0 ? [] : ['']),
    ...clusterTable(result.clusters),
  ])
}

function objectLines(objects: ConnectResult['objects'], dryRun: DryRun): string[] {
  return objects.map((one) => `${one.cluster}: ${renderObject(one, one.action)}${dryRunMark(dryRun)}`)
}

const PHASES = {
  'own-root': 'its own root',
  'both-roots': 'both roots trusted',
  'new-signer': 'signs under the root',
  finished: 'only the root trusted',
}

function clusterTable(clusters: ConnectResult['clusters']): string[] {
  return tableLines([
    ['CLUSTER', 'CONTEXT', 'TRUST', 'PROXIES', 'TRUST THE ROOT', 'RENEWED', 'GATEWAY', 'ADDRESS'],
    ...clusters.map(({ name, context, phase, proxies, gateway }) => [
      name,
      context,
      phase === undefined ? '-' : PHASES[phase],
      String(proxies.total),
      String(proxies.trusting),
      String(proxies.renewed),
      `${gateway.namespace}/${gateway.service}`,
      gateway.address === undefined ? 'none' : `${gateway.address}:${gateway.port}`,
    ]),
  ])
}
