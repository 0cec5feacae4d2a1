/** Results of `multicluster` as text. Pure. */
import type { CertificatesResult } from '../multicluster/certificates.ts'
import type { ConnectResult } from '../multicluster/connect.ts'
import { sh } from '../shell.ts'
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

export function renderCertificates(result: CertificatesResult, format: OutputFormat | undefined): string {
  if (format !== undefined) return renderData(result, format)
  const { root, made, namespace, clusters, files } = result
  const [first] = clusters
  const secret = ['ca-cert.pem', 'ca-key.pem', 'cert-chain.pem', 'root-cert.pem'].map((file) => sh`--from-file=${`${first?.directory}/${file}`}`)
  return page([
    ...files.map((file) => `${file} created`),
    '',
    `root      SHA-256 ${root}${made ? '; keep root-key.pem where no cluster and no repository has it' : ''}`,
    ...clusters.map(({ name, fingerprint }) => `${name}  SHA-256 ${fingerprint}`),
    '',
    `  try: ${[sh`kubectl -n ${namespace} create secret generic cacerts`, ...secret].join(' ')}   # before Istio is installed`,
  ])
}
