/** With Prometheus Operator: a scrape class with the certificate, our PodMonitor, and rules in the users' PodMonitors that exclude the same pods. Pure. */

import type { Edit } from '../../changes/edits.ts'
import type { KubeObject } from '../../cluster/cluster.ts'
import { isSelected, type LabelSelector } from '../../cluster/label-selector.ts'
import { ownedLabels, SCRAPING } from '../../cluster/ownership.ts'
import { POD_MONITORS, typeOf } from '../../cluster/resources.ts'
import type { FoundPrometheus, PrometheusObject } from '../../prometheus/find.ts'
import { METRICS_PATH } from '../workload.ts'
import { areForPlaintext } from './prometheus-jobs.ts'
import { DROP_RULE, FORMER_DROP_RULE, RELABELINGS, type Relabeling, SECURE_JOB } from './secure-job.ts'

/** Only a Prometheus object may name files; monitors refer to its class. https://prometheus-operator.dev/docs/developer/scrapeclass/ */
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

/** Our PodMonitor, in Prometheus' namespace, with labels that match its podMonitorSelector. */
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
    metadata: { name: SECURE_JOB, namespace, labels: { ...labelsFor(podMonitorSelector), ...ownedLabels(SCRAPING) } },
    spec: {
      scrapeClass: SCRAPE_CLASS,
      namespaceSelector: { any: true },
      selector: {},
      podMetricsEndpoints: [endpoint],
    },
  }
}

/** Why Prometheus would not read our PodMonitor; undefined if it would. */
export function whyNotSelected(
  { object, namespace }: FoundPrometheus,
  namespaceLabels: Record<string, string>,
): string | undefined {
  const { podMonitorSelector, podMonitorNamespaceSelector } = (object as PrometheusObject).spec
  if (podMonitorSelector === undefined) return 'it has no podMonitorSelector, so it reads no PodMonitor'
  if (!isSelected(labelsFor(podMonitorSelector), podMonitorSelector))
    return 'no set of labels is certain to match its podMonitorSelector'
  if (podMonitorNamespaceSelector !== undefined && !isSelected(namespaceLabels, podMonitorNamespaceSelector))
    return `its podMonitorNamespaceSelector excludes its own namespace ${namespace}`
  return undefined
}

/** Whether a PodMonitor scrapes Istio's pods as plaintext. */
export function isPlaintextMonitor({ spec, metadata }: PodMonitor): boolean {
  const endpoints = spec.podMetricsEndpoints ?? []
  return metadata.name !== SECURE_JOB && endpoints.some(isPlaintext)
}

export function monitorEdits(monitor: PodMonitor): Edit[] {
  const endpoints = monitor.spec.podMetricsEndpoints ?? []
  const value = endpoints.map((endpoint) =>
    isPlaintext(endpoint) && !(endpoint.relabelings ?? []).some(isCurrentRule)
      ? { ...endpoint, relabelings: [...withoutRule(endpoint), inOperatorsWords(DROP_RULE)] }
      : endpoint,
  )
  return [{ path: ['spec', 'podMetricsEndpoints'], value, fragment: MONITOR_FRAGMENT }]
}

/** The name of `withoutRules` in a record. */
export const MONITOR_FRAGMENT = 'podMetricsEndpoints'

/** Removes our rules from endpoints that the user has edited after we did. */
export function withoutRules(present: unknown, before: unknown): unknown {
  if (!Array.isArray(present)) return present
  const had = Array.isArray(before) ? (before as Endpoint[]) : []
  return (present as Endpoint[]).map((endpoint, index) => {
    const earlier = had[index]
    if (!hasRule(endpoint) || (earlier !== undefined && hasRule(earlier))) return endpoint
    const { relabelings: _, ...rest } = endpoint
    const left = withoutRule(endpoint)
    return left.length === 0 && earlier?.relabelings === undefined ? rest : { ...endpoint, relabelings: left }
  })
}

function isPlaintext(endpoint: Endpoint): boolean {
  return endpoint.scheme?.toLowerCase() !== 'https' && areForPlaintext(withoutRule(endpoint))
}

function hasRule({ relabelings = [] }: Endpoint): boolean {
  return relabelings.some(isRule)
}

function withoutRule({ relabelings = [] }: Endpoint): OperatorRelabeling[] {
  return relabelings.filter((rule) => !isRule(rule))
}

/** Whether a rule is ours, as this version or an earlier one writes it. */
function isRule(rule: OperatorRelabeling): boolean {
  return isCurrentRule(rule) || isSame(rule, FORMER_DROP_RULE)
}

function isCurrentRule(rule: OperatorRelabeling): boolean {
  return isSame(rule, DROP_RULE)
}

function isSame({ action, sourceLabels = [], regex }: OperatorRelabeling, ours: Relabeling): boolean {
  return action?.toLowerCase() === 'drop' && sourceLabels.join() === ours.source_labels?.join() && regex === ours.regex
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

/** Labels that match a selector, as far as they can be derived from it. */
function labelsFor({ matchLabels = {}, matchExpressions = [] }: LabelSelector = {}): Record<string, string> {
  const named = matchExpressions
    .filter(({ operator }) => operator === 'In' || operator === 'Exists')
    .map(({ key, values }) => [key, values?.[0] ?? 'true'])
  return { ...(Object.fromEntries(named) as Record<string, string>), ...matchLabels }
}
