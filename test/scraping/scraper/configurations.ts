/** Scrape configurations as users write them. */
const POD_RULES = `    relabel_configs:
      # only those that ask for it
      - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
        action: keep
        regex: true
      - source_labels: [__address__, __meta_kubernetes_pod_annotation_prometheus_io_port]
        regex: (.+?)(?::\\d+)?;(\\d+)
        replacement: $1:$2
        target_label: __address__
`

/** In the style of the community chart: indented lists, comments, a plaintext job for Envoy. */
export const CHART = `global:
  evaluation_interval: 1m
  scrape_interval: 1m   # slow
rule_files:
- /etc/config/recording_rules.yml
scrape_configs:
  # Prometheus itself
  - job_name: prometheus
    static_configs:
      - targets: ['localhost:9090']

  # Example scrape config for pods
  #
  # * \`prometheus.io/scrape\`: Only scrape pods that have a value of \`true\`
  - job_name: 'kubernetes-pods'
    honor_labels: true

    kubernetes_sd_configs:
      - role: pod

${POD_RULES}
  - job_name: envoy-stats   # Istio's page
    metrics_path: /stats/prometheus
    kubernetes_sd_configs:
    - role: pod
    relabel_configs:
    - source_labels: [__meta_kubernetes_pod_container_port_name]
      action: keep
      regex: '.*-envoy-prom'

alerting:
  alertmanagers: []
`

/** By name. Each is valid YAML in an unusual form. */
export const ODD: Record<string, string> = {
  empty: '',
  'comments only': '# nothing here\n',
  'no scrape_configs': 'global: {scrape_interval: 15s}\n',
  'no scrape_configs, no line end': 'global:\n  scrape_interval: 15s',
  'empty list': 'scrape_configs: []\nglobal: {}\n',
  'nothing in it': 'scrape_configs:\nglobal: {}\n',
  'nothing in it, at the end': 'global: {}\nscrape_configs:',
  'null in it': 'scrape_configs: null # none\nglobal: {}\n',
  'files with more jobs': 'scrape_config_files:\n- /etc/more/*.yml\nscrape_configs:\n- job_name: a\n',
  'all in braces':
    '{global: {}, scrape_configs: [{job_name: pods, kubernetes_sd_configs: [{role: pod}], relabel_configs: [{action: keep, regex: "true", source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]}]}]}',
  'a job in braces':
    'scrape_configs:\n- {job_name: pods, kubernetes_sd_configs: [{role: pod}], relabel_configs: [ {action: keep, regex: .*-envoy-prom, source_labels: [a]} ]}\n- job_name: b\n',
  'a list in brackets over lines': `scrape_configs: [
  # first
  {job_name: a},
  {job_name: pods, kubernetes_sd_configs: [{role: pod}], relabel_configs: [
    {action: keep, regex: 15090, source_labels: [x]},
  ]},
]
`,
  anchors: `scrape_configs:
- job_name: pods
  kubernetes_sd_configs: &sd
  - role: pod
  relabel_configs: &rules
  # shared
  - action: keep
    regex: true
    source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
- job_name: pods-slow
  kubernetes_sd_configs: *sd
  relabel_configs: *rules
  scrape_interval: 5m
`,
  merges: `scrape_configs:
- &base
  job_name: fast
  honor_labels: true
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
    - {action: keep, regex: "true", source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]}
- job_name: slow
  <<: *base
  scrape_interval: 5m
`,
  'tabs in strings': `scrape_configs:
- job_name: "a\tb"
  metrics_path: '/x\ty'	# a tab before this
- job_name: pods
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
  - {action: drop, regex: "15020\t", source_labels: [a]}
`,
  'lines that end as on Windows': CHART.replaceAll('\n', '\r\n'),
  'several documents': `---
# one
scrape_configs:
- job_name: a
---
second: document
`,
  'an end that is marked': 'global: {}\n...\n',
  'a long text in a job': `scrape_configs:
- job_name: |
    a
    b
  params:
    match: [">\\n"]
- relabel_configs:
  - action: keep
    regex: .*-envoy-prom
    source_labels: [a]
  kubernetes_sd_configs:
  - role: pod
  job_name: last
`,
  'rules without a list': `scrape_configs:
- job_name: pods
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
  -
    action: keep
    regex: .*-envoy-prom
    source_labels:
    - a
  metric_relabel_configs: []
`,
}
