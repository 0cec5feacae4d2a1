/** Objects of `istioctl install` and Istio's sample add-ons, without fields that are not read. */
import type { KubeObject } from '../../src/cluster/cluster.ts'

type Labels = Record<string, string>

export function service(
  namespace: string,
  name: string,
  labels: Labels,
  spec: object,
  status: object = {},
): KubeObject {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace, labels }, spec, status }
}

export function pod(namespace: string, name: string, labels: Labels, container: object, ready = true): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: { serviceAccountName: name, nodeName: 'node-1', containers: [container] },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }
}

export function node(name: string, addresses: { type: string; address: string }[]): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { addresses, conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

const GRAFANA_LABELS = { 'app.kubernetes.io/name': 'grafana', 'app.kubernetes.io/instance': 'grafana' }

/** @param environment variables of the container; the sample lets anyone in as Admin. Its file sets nothing. */
export function grafana(
  namespace = 'istio-system',
  environment: Labels = { GF_AUTH_ANONYMOUS_ENABLED: 'true', GF_AUTH_ANONYMOUS_ORG_ROLE: 'Admin' },
): KubeObject[] {
  const env = Object.entries(environment).map(([name, value]) => ({ name, value }))
  const ports = [{ name: 'service', port: 3000, targetPort: 3000 }]
  return [
    service(namespace, 'grafana', GRAFANA_LABELS, { type: 'ClusterIP', selector: GRAFANA_LABELS, ports }),
    withVolumes(pod(namespace, 'grafana-abc', GRAFANA_LABELS, { ...mounting('grafana', '/etc/grafana'), env }), [
      { name: 'grafana-configuration', configMap: { name: 'grafana' } },
    ]),
    configMap(namespace, 'grafana', '', 'grafana.ini'),
  ]
}

const KIALI_LABELS = { 'app.kubernetes.io/name': 'kiali', 'app.kubernetes.io/instance': 'kiali' }

/** @param config content of config.yaml; the sample lets anyone in and has the path /kiali */
export function kiali(
  namespace = 'istio-system',
  config = 'auth:\n  strategy: anonymous\nserver:\n  port: 20001\n  web_root: /kiali\n',
): KubeObject[] {
  const ports = [
    { name: 'http', port: 20001 },
    { name: 'http-metrics', port: 9090 },
  ]
  const volumes = [
    { name: 'kiali-configuration', configMap: { name: 'kiali' } },
    { name: 'kiali-cabundle', configMap: { name: 'kiali-cabundle', optional: true } },
    { name: 'kiali-secret', secret: { secretName: 'kiali', optional: true } },
  ]
  return [
    service(
      namespace,
      'kiali',
      { app: 'kiali', ...KIALI_LABELS },
      { type: 'ClusterIP', selector: KIALI_LABELS, ports },
    ),
    withVolumes(pod(namespace, 'kiali-abc', KIALI_LABELS, mounting('kiali', '/kiali-configuration')), volumes),
    configMap(namespace, 'kiali', config),
  ]
}

/** The Deployment of Kiali. */
export function kialiDeployment(namespace = 'istio-system'): KubeObject {
  const volumes = [{ name: 'kiali-configuration', configMap: { name: 'kiali' } }]
  const containers = [{ name: 'kiali', image: 'quay.io/kiali/kiali:v2.27' }]
  const template = {
    metadata: { labels: KIALI_LABELS, annotations: { checksum: 'abc' } },
    spec: { containers, volumes },
  }
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'kiali', namespace }, spec: { template } }
}

const PROMETHEUS_LABELS = {
  'app.kubernetes.io/component': 'server',
  'app.kubernetes.io/name': 'prometheus',
  'app.kubernetes.io/instance': 'prometheus',
}

export function prometheus(namespace = 'istio-system'): KubeObject[] {
  const ports = [{ name: 'http', port: 9090, targetPort: 9090 }]
  return [
    service(namespace, 'prometheus', PROMETHEUS_LABELS, { type: 'ClusterIP', selector: PROMETHEUS_LABELS, ports }),
    pod(namespace, 'prometheus-abc', PROMETHEUS_LABELS, { name: 'prometheus-server' }),
  ]
}

/** Jaeger with all its Services, including those that replace Zipkin and receive spans. */
export function jaeger(namespace = 'istio-system'): KubeObject[] {
  const labels = { app: 'jaeger' }
  const spec = (ports: object[]) => ({ type: 'ClusterIP', selector: labels, ports })
  const pages = [
    { name: 'http-query', port: 80, targetPort: 16686 },
    { name: 'grpc-query', port: 16685, targetPort: 16685 },
  ]
  const spans = { port: 9411, targetPort: 9411 }
  const config = 'extensions:\n  jaeger_query:\n    base_path: /jaeger\n'
  return [
    service(namespace, 'jaeger-collector', labels, spec([{ name: 'http-zipkin', ...spans }])),
    service(namespace, 'tracing', labels, spec(pages)),
    service(namespace, 'zipkin', { name: 'zipkin' }, spec([{ name: 'http-query', ...spans }])),
    withVolumes(pod(namespace, 'jaeger-abc', labels, mounting('jaeger', '/jaeger-configuration')), [
      { name: 'jaeger-configuration', configMap: { name: 'jaeger' } },
    ]),
    configMap(namespace, 'jaeger', config),
  ]
}

/** A container with its configuration. */
function mounting(name: string, mountPath: string): object {
  return { name, volumeMounts: [{ name: `${name}-configuration`, mountPath }] }
}

function withVolumes(pod: KubeObject, volumes: object[]): KubeObject {
  return { ...pod, spec: { ...(pod.spec as object), volumes } }
}

function configMap(namespace: string, name: string, config: string, key = 'config.yaml'): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: { [key]: config } }
}

export function ingressGateway(
  namespace = 'istio-system',
  name = 'istio-ingressgateway',
  ingress: object[] = [{ ip: '192.0.2.10' }],
): KubeObject[] {
  const labels = { app: name, istio: name.replace(/^istio-/, '') }
  const ports = [
    { name: 'status-port', port: 15021, nodePort: 31021 },
    { name: 'http2', port: 80, targetPort: 8080, nodePort: 31080 },
    { name: 'https', port: 443, targetPort: 8443, nodePort: 31443 },
  ]
  return [
    service(namespace, name, labels, { type: 'LoadBalancer', selector: labels, ports }, { loadBalancer: { ingress } }),
    pod(namespace, `${name}-xyz`, labels, { name: 'istio-proxy', args: ['proxy', 'router', '--domain', 'x'] }),
  ]
}
