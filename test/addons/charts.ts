/** Services of users' own charts, cut to the fields that matter. */
import type { Service, ServicePort } from '../../src/cluster/objects.ts'

function service(name: string, labels: Record<string, string>, ports: ServicePort[], spec: object): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'monitoring', labels },
    spec: { type: 'ClusterIP', clusterIP: '10.96.7.1', ports, ...spec },
  }
}

/** An old chart of Grafana's (stable/grafana 3): no recommended labels yet. */
export const OLD_GRAFANA = service(
  'grafana',
  { app: 'grafana', chart: 'grafana-3.12.1', heritage: 'Tiller', release: 'grafana' },
  [{ name: 'service', port: 80, protocol: 'TCP', targetPort: 3000 }],
  { selector: { app: 'grafana', release: 'grafana' } },
)

/** kube-prometheus-stack 75: the operator's own Service, and the chart's. */
const OPERATED = { 'app.kubernetes.io/name': 'prometheus', 'operator.prometheus.io/name': 'kps-prometheus' }
export const KUBE_PROMETHEUS_STACK: Service[] = [
  service(
    'kps-prometheus',
    { app: 'kube-prometheus-stack-prometheus', 'app.kubernetes.io/instance': 'kps' },
    [
      { name: 'http-web', port: 9090, protocol: 'TCP', targetPort: 9090 },
      { name: 'reloader-web', port: 8080, protocol: 'TCP', targetPort: 'reloader-web' },
    ],
    { selector: OPERATED },
  ),
  service(
    'prometheus-operated',
    { 'operated-prometheus': 'true', 'managed-by': 'prometheus-operator' },
    [{ name: 'http-web', port: 9090, protocol: 'TCP', targetPort: 'http-web' }],
    { clusterIP: 'None', selector: { 'app.kubernetes.io/name': 'prometheus' } },
  ),
]

/** The chart jaegertracing/jaeger 3. */
const JAEGER_QUERY = { 'app.kubernetes.io/name': 'jaeger', 'app.kubernetes.io/component': 'query' }
export const JAEGER_CHART: Service[] = [
  service(
    'jaeger-query',
    { 'helm.sh/chart': 'jaeger-3.4.1', ...JAEGER_QUERY },
    [{ name: 'query', port: 80, protocol: 'TCP', targetPort: 16686 }],
    { selector: JAEGER_QUERY },
  ),
]
