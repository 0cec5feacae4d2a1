/** Our job in prometheus.yml, and the rule that excludes its pods from other jobs. */
import { METRICS_PATH, PLAINTEXT_PORTS } from '../workload.ts'

export const SECURE_JOB = 'kubectl-telemetry-istio-secure'
/** The directory in Prometheus' pod in which Istio's agent writes the certificate. */
export const CERTIFICATES = '/etc/istio-certs'

/** Prometheus' label for the annotation `prometheus.istio.io/secure-port`. */
export const SECURE_PORT_LABEL = '__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port'

export interface Relabeling {
  action: string
  source_labels?: string[]
  regex: string
  target_label?: string
  replacement?: string
}

/** Prometheus' label for the annotation `prometheus.istio.io/merge-metrics`. */
const MERGE_LABEL = '__meta_kubernetes_pod_annotation_prometheus_istio_io_merge_metrics'

/**
 * Excludes Istio's plaintext ports of the pods that our job scrapes, by port or (`statusPort` may be another) by path. Other ports stay:
 * without merging, the metrics of the application are only at its own port. It has to be the last rule, which sees the final address.
 */
export const DROP_RULE: Relabeling = {
  action: 'drop',
  source_labels: [SECURE_PORT_LABEL, '__address__', '__metrics_path__', MERGE_LABEL],
  regex: `.+;(?:.+:(?:${PLAINTEXT_PORTS.join('|')});.*|.*;${METRICS_PATH};(?:true)?)`,
}

/** As an earlier version excluded these pods, with all their ports. */
export const FORMER_DROP_RULE: Relabeling = { action: 'drop', source_labels: [SECURE_PORT_LABEL], regex: '.+' }

/** The same labels as in the pod jobs of Istio's sample and of the chart, so that dashboards keep working. */
export const RELABELINGS: Relabeling[] = [
  { action: 'keep', source_labels: [SECURE_PORT_LABEL], regex: '[0-9]+' },
  { action: 'drop', source_labels: ['__meta_kubernetes_pod_phase'], regex: 'Pending|Succeeded|Failed|Completed' },
  {
    action: 'replace',
    source_labels: ['__meta_kubernetes_pod_ip', SECURE_PORT_LABEL],
    regex: '([0-9.]+);([0-9]+)',
    target_label: '__address__',
    replacement: '$1:$2',
  },
  {
    action: 'replace',
    source_labels: ['__meta_kubernetes_pod_ip', SECURE_PORT_LABEL],
    regex: '([0-9A-Fa-f]*:[0-9A-Fa-f:.]*);([0-9]+)',
    target_label: '__address__',
    replacement: '[$1]:$2',
  },
  { action: 'labelmap', regex: '__meta_kubernetes_pod_label_(.+)' },
  copied('__meta_kubernetes_namespace', 'namespace'),
  copied('__meta_kubernetes_pod_name', 'pod'),
  copied('__meta_kubernetes_pod_node_name', 'node'),
]

export interface ScrapeJob {
  job_name: string
  [setting: string]: unknown
}

/** @param certificates the directory; @param honorLabels the setting of the other jobs */
export function secureJob(certificates: string, honorLabels: boolean): ScrapeJob {
  return {
    job_name: SECURE_JOB,
    ...(honorLabels ? { honor_labels: true } : {}),
    kubernetes_sd_configs: [{ role: 'pod' }],
    metrics_path: METRICS_PATH,
    scheme: 'https',
    tls_config: {
      ca_file: `${certificates}/root-cert.pem`,
      cert_file: `${certificates}/cert-chain.pem`,
      key_file: `${certificates}/key.pem`,
      // Istio's certificates contain a SPIFFE identity and no host name. Prometheus cannot check that.
      insecure_skip_verify: true,
    },
    relabel_configs: RELABELINGS,
  }
}

function copied(from: string, to: string): Relabeling {
  return { action: 'replace', source_labels: [from], regex: '(.+)', target_label: to }
}
