/** Results of `multicluster` as text. Pure. */
import type { CertificatesResult } from '../../multicluster/certificates.ts'
import type { ClusterStatus } from '../../multicluster/cluster-problems.ts'
import type { ConnectReport, ConnectResult } from '../../multicluster/connect.ts'
import type { RotateReport } from '../../multicluster/rotate.ts'
import type { MulticlusterStatus } from '../../multicluster/status.ts'
import type { TrustReport } from '../../multicluster/trust/report.ts'
import { sh } from '../../shell.ts'
import { renderDiff } from '../diff.ts'
import { findingLines } from '../findings.ts'
import { dryRunMark, type OutputFormat, page, renderData, renderObject, tableLines } from '../output.ts'

type DryRun = 'none' | 'client' | 'server'

export function renderConnect(
  { result, comparisons }: ConnectReport,
  dryRun: DryRun,
  format: OutputFormat | undefined,
  diff: boolean,
): string {
  if (diff) return renderDiff(comparisons)
  if (format !== undefined) return renderData(result, format)
  if (result.outcome === 'declined') return 'nothing was changed'
  return page([
    ...objectLines(result.objects, dryRun),
    ...(result.objects.length === 0 ? [] : ['']),
    ...clusterTable(result.clusters),
    ...nextSteps(result),
  ])
}

/** How to install Istio where a cluster has only its CA. */
function nextSteps({ outcome, clusters }: ConnectResult): string[] {
  const commands = clusters.flatMap(({ install }) => install ?? [])
  if (outcome !== 'applied' || commands.length === 0) return []
  const contexts = clusters.map(({ name, context }) => sh`--context ${`${name}=${context}`}`)
  return [
    '',
    'next:',
    ...commands.map((command) => `  ${command}   # istiod signs with this CA from its start`),
    `  ${['kubectl telemetry multicluster connect', ...contexts].join(' ')}   # then gives each cluster its gateway`,
  ]
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

const TRUST_HEAD = ['CLUSTER', 'CONTEXT', 'TRUST', 'PROXIES', 'TRUST THE ROOT', 'RENEWED']

function trustCells({ name, context, phase, proxies }: TrustReport): string[] {
  const trust = phase === undefined ? '-' : PHASES[phase]
  return [name, context, trust, String(proxies.total), String(proxies.trusting), String(proxies.renewed)]
}

function clusterTable(clusters: ConnectResult['clusters']): string[] {
  if (clusters.every(({ gateway }) => gateway === undefined))
    return tableLines([TRUST_HEAD, ...clusters.map(trustCells)])
  return tableLines([
    [...TRUST_HEAD, 'GATEWAY', 'ADDRESS'],
    ...clusters.map((one) => [...trustCells(one), ...gatewayCells(one)]),
  ])
}

function gatewayCells({ gateway }: Pick<ClusterStatus, 'gateway'>): string[] {
  const address = gateway?.address === undefined ? 'none' : `${gateway.address}:${gateway.port}`
  return [gateway === undefined ? '-' : `${gateway.namespace}/${gateway.service}`, address]
}

export function renderTrust(
  { result, comparisons }: RotateReport,
  dryRun: DryRun,
  format: OutputFormat | undefined,
  diff: boolean,
): string {
  if (diff) return renderDiff(comparisons)
  if (format !== undefined) return renderData(result, format)
  if (result.outcome === 'declined') return 'nothing was changed'
  return page([
    ...objectLines(result.objects, dryRun),
    ...(result.objects.length === 0 ? [] : ['']),
    ...tableLines([TRUST_HEAD, ...result.clusters.map(trustCells)]),
  ])
}

export function renderMulticlusterStatus(status: MulticlusterStatus, format: OutputFormat | undefined): string {
  if (format !== undefined) return renderData(status, format)
  const { clusters, services, problems } = status
  return page([
    ...tableLines([
      [...TRUST_HEAD, 'DAYS LEFT', 'GATEWAY', 'ADDRESS'],
      ...clusters.map((one) => [
        ...trustCells(one),
        one.signer.daysLeft === undefined ? '-' : String(one.signer.daysLeft),
        ...gatewayCells(one),
      ]),
    ]),
    ...(services.length === 0
      ? []
      : [
          '',
          ...tableLines([
            ['HOST', 'SERVED BY', 'CALLED FROM', 'PORTS', 'ADDRESS', 'CALL'],
            ...services.map(({ host, in: serving, to, ports, address, hops }) => [
              host,
              serving.join(', '),
              to,
              ports.join(', '),
              address,
              called(hops),
            ]),
          ]),
        ]),
    ...(problems.length === 0 ? [] : ['', ...findingLines(problems)]),
  ])
}

/** `not tried`, `answers`, or the hop that failed. */
function called(hops: MulticlusterStatus['services'][number]['hops']): string {
  if (hops === undefined) return 'not tried'
  const failed = hops.find(({ ok }) => !ok)
  return failed === undefined ? 'answers' : `FAILS (${failed.hop})`
}

export function renderCertificates(result: CertificatesResult, format: OutputFormat | undefined): string {
  if (format !== undefined) return renderData(result, format)
  const { root, made, namespace, clusters, files } = result
  const [first] = clusters
  const secret = ['ca-cert.pem', 'ca-key.pem', 'cert-chain.pem', 'root-cert.pem'].map(
    (file) => sh`--from-file=${`${first?.directory}/${file}`}`,
  )
  return page([
    ...files.map((file) => `${file} created`),
    '',
    `root      SHA-256 ${root}${made ? '; keep root-key.pem where no cluster and no repository has it' : ''}`,
    ...clusters.map(({ name, fingerprint }) => `${name}  SHA-256 ${fingerprint}`),
    '',
    `  try: ${[sh`kubectl -n ${namespace} create secret generic cacerts`, ...secret].join(' ')}   # before Istio is installed`,
  ])
}
