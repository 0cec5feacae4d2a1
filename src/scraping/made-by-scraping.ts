/** What an object must look like to be one that scraping made: its name, and who applied it. Its labels only helped to find it. Pure. */
import type { KubeObject } from '../cluster/cluster.ts'
import { SCRAPING } from '../cluster/ownership.ts'
import { isWrittenByOthers } from '../cluster/trust.ts'
import { metricsGatewayName, scrapingName } from '../manifests/names.ts'
import { SECURE_JOB } from './scraper/secure-job.ts'

const KINDS = ['Deployment', 'StatefulSet', 'DaemonSet']

/** Why an object with the labels of scraping is not believed to be made by it; `undefined` if it is. */
export function whyNotScraping(object: KubeObject): string | undefined {
  const { kind, metadata } = object
  if (!isNamed(object)) return `it has the labels of kubectl telemetry, which gives no ${kind} for them that name`
  if (isWrittenByOthers(object, SCRAPING))
    return 'it has the labels of kubectl telemetry, but something else created it (metadata.managedFields): it may be a copy'
  return isForAll(object)
    ? `it has no selector, so it is for all pods of namespace ${metadata.namespace}, and kubectl telemetry makes none like that`
    : undefined
}

function isNamed({ kind, metadata: { name } }: KubeObject): boolean {
  const begins = (prefix: string) => name.startsWith(prefix) && name.length > prefix.length
  switch (kind) {
    case 'Gateway':
    case 'VirtualService':
    case 'ServiceEntry':
      return begins(metricsGatewayName(''))
    case 'Sidecar':
    case 'PeerAuthentication':
    case 'AuthorizationPolicy':
    case 'NetworkPolicy':
      return KINDS.some((workload) => begins(scrapingName({ kind: workload, name: '' })))
    default:
      return kind === 'PodMonitor' && name === SECURE_JOB
  }
}

/** The field that selects pods, by kind. */
const SELECTORS: Record<string, string[]> = {
  Sidecar: ['workloadSelector', 'labels'],
  PeerAuthentication: ['selector', 'matchLabels'],
  AuthorizationPolicy: ['selector', 'matchLabels'],
  NetworkPolicy: ['podSelector', 'matchLabels'],
  Gateway: ['selector'],
}

function isForAll({ kind, spec }: KubeObject): boolean {
  const path = SELECTORS[kind]
  const labels = path?.reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step], spec)
  return path !== undefined && Object.keys(labels ?? {}).length === 0
}
