/** The job of ours in prometheus.yml, and the rule that keeps other jobs from scraping the same pods. */
import { METRICS_PATH } from '../workload.ts'

export const SECURE_JOB = 'kubectl-telemetry-istio-secure'
/** Where Istio's agent writes the certificate in Prometheus' pod. */
export const CERTIFICATES = '/etc/istio-certs'

/** As Prometheus names the annotation `prometheus.istio.io/secure-port`. */
export const SECURE_PORT_LABEL = '__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port'

export interface Relabeling {
  action: string
  source_labels?: string[]
  regex: string
  target_label?: string
  replacement?: string
}

/** Drops what our job scrapes. */
export const DROP_RULE: Relabeling = { action: 'drop', source_labels: [SECURE_PORT_LABEL], regex: '.+' }

/** As the pod jobs of Istio's sample and of the chart do it, so that dashboards find the labels they know. */
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

/** @param certificates the directory; @param honorLabels as the other jobs have it */
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
      // Istio's certificates name a SPIFFE identity and no host, which Prometheus cannot check.
      insecure_skip_verify: true,
    },
    relabel_configs: RELABELINGS,
  }
}

function copied(from: string, to: string): Relabeling {
  return { action: 'replace', source_labels: [from], regex: '(.+)', target_label: to }
}
