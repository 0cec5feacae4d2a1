/** With Prometheus Operator: a scrape class with the certificate, a PodMonitor of ours, and others' that leave the same pods alone. Pure. */
import type { Edit } from '../../changes/edits.ts'
import type { KubeObject } from '../../cluster/cluster.ts'
import { scrapingLabels } from '../../cluster/ownership.ts'
import { POD_MONITORS, typeOf } from '../../cluster/resources.ts'
import type { FoundPrometheus, LabelSelector, PrometheusObject } from '../../prometheus/find.ts'
import { METRICS_PATH } from '../workload.ts'
import { isSelected } from './injection.ts'
import { PLAINTEXT } from './prometheus-yml.ts'
import { DROP_RULE, RELABELINGS, type Relabeling, SECURE_JOB } from './secure-job.ts'

/** Files may be named in a Prometheus object alone; monitors refer to the class. https://prometheus-operator.dev/docs/developer/scrapeclass/ */
const SCRAPE_CLASS = 'kubectl-telemetry-istio'

export interface PodMonitor extends KubeObject {
  spec: { podMetricsEndpoints?: Endpoint[]; [field: string]: unknown }
}

type Endpoint = { scheme?: string; relabelings?: OperatorRelabeling[]; [field: string]: unknown }

interface OperatorRelabeling {
  action?: string
  sourceLabels?: string[]
  regex?: string
  targetLabel?: string
  replacement?: string
}

/** @param certificates the directory with Prometheus' certificate */
export function scrapeClassEdits(certificates: string): Edit[] {
  const tlsConfig = {
    caFile: `${certificates}/root-cert.pem`,
    certFile: `${certificates}/cert-chain.pem`,
    keyFile: `${certificates}/key.pem`,
    insecureSkipVerify: true,
  }
  const path = ['spec', 'scrapeClasses', { name: SCRAPE_CLASS }]
  return [{ path, value: { name: SCRAPE_CLASS, tlsConfig } }]
}

/** In Prometheus' namespace, with the labels that it selects its monitors by. */
export function ownPodMonitor({ namespace, object }: FoundPrometheus): KubeObject {
  const { podMonitorSelector } = (object as PrometheusObject).spec
  const endpoint = {
    path: METRICS_PATH,
    scheme: 'https',
    honorLabels: true,
    relabelings: RELABELINGS.map(inOperatorsWords),
  }
  return {
    ...typeOf(POD_MONITORS),
    metadata: { name: SECURE_JOB, namespace, labels: { ...labelsFor(podMonitorSelector), ...scrapingLabels() } },
    spec: {
      scrapeClass: SCRAPE_CLASS,
      namespaceSelector: { any: true },
      selector: {},
      podMetricsEndpoints: [endpoint],
    },
  }
}

/** Why Prometheus would not read our PodMonitor, if so. */
export function whyNotSelected(
  { object, namespace }: FoundPrometheus,
  namespaceLabels: Record<string, string>,
): string | undefined {
  const { podMonitorSelector, podMonitorNamespaceSelector } = (object as PrometheusObject).spec
  if (podMonitorSelector === undefined) return 'it has no podMonitorSelector, and so reads no PodMonitor'
  if (!isSelected(labelsFor(podMonitorSelector), podMonitorSelector))
    return 'its podMonitorSelector asks for labels that cannot be guessed'
  if (podMonitorNamespaceSelector !== undefined && !isSelected(namespaceLabels, podMonitorNamespaceSelector))
    return `its podMonitorNamespaceSelector leaves out its own namespace ${namespace}`
  return undefined
}

/** Whether a PodMonitor scrapes Istio's pods in clear. */
export function isPlaintextMonitor({ spec, metadata }: PodMonitor): boolean {
  const endpoints = spec.podMetricsEndpoints ?? []
  return metadata.name !== SECURE_JOB && endpoints.some(isPlaintext)
}

export function monitorEdits(monitor: PodMonitor): Edit[] {
  const endpoints = monitor.spec.podMetricsEndpoints ?? []
  const value = endpoints.map((endpoint) =>
    isPlaintext(endpoint) && !hasRule(endpoint)
      ? { ...endpoint, relabelings: [inOperatorsWords(DROP_RULE), ...(endpoint.relabelings ?? [])] }
      : endpoint,
  )
  return [{ path: ['spec', 'podMetricsEndpoints'], value, part: MONITOR_PART }]
}

/** Names `withoutRules` in a record. */
export const MONITOR_PART = 'podMetricsEndpoints'

/** Endpoints that somebody has edited since, less our rules. */
export function withoutRules(present: unknown, before: unknown): unknown {
  if (!Array.isArray(present)) return present
  const had = Array.isArray(before) ? (before as Endpoint[]) : []
  return (present as Endpoint[]).map((endpoint, index) => {
    const earlier = had[index]
    if (!hasRule(endpoint) || (earlier !== undefined && hasRule(earlier))) return endpoint
    const { relabelings = [], ...rest } = endpoint
    const left = relabelings.filter((rule) => !isRule(rule))
    return left.length === 0 && earlier?.relabelings === undefined ? rest : { ...endpoint, relabelings: left }
  })
}

function isPlaintext({ scheme, relabelings }: Endpoint): boolean {
  return scheme?.toLowerCase() !== 'https' && PLAINTEXT.test(JSON.stringify(relabelings ?? []))
}

function hasRule({ relabelings = [] }: Endpoint): boolean {
  return relabelings.some(isRule)
}

function isRule({ action, sourceLabels = [], regex }: OperatorRelabeling): boolean {
  const sameLabels = sourceLabels.join() === DROP_RULE.source_labels?.join()
  return action?.toLowerCase() === 'drop' && sameLabels && regex === DROP_RULE.regex
}

function inOperatorsWords({
  source_labels: sourceLabels,
  target_label: targetLabel,
  ...rest
}: Relabeling): OperatorRelabeling {
  return {
    ...(sourceLabels === undefined ? {} : { sourceLabels }),
    ...(targetLabel === undefined ? {} : { targetLabel }),
    ...rest,
  }
}

/** Labels that a selector takes, as far as it says so. */
function labelsFor({ matchLabels = {}, matchExpressions = [] }: LabelSelector = {}): Record<string, string> {
  const named = matchExpressions
    .filter(({ operator }) => operator === 'In' || operator === 'Exists')
    .map(({ key, values }) => [key, values?.[0] ?? 'true'])
  return { ...(Object.fromEntries(named) as Record<string, string>), ...matchLabels }
}
