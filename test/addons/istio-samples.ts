/** The Services of Istio's samples/addons (1.31), name, labels, ports and selector only. */
import type { Service, ServicePort } from '../../src/cluster/objects.ts'

type Labels = Record<string, string>

function service(
  name: string,
  labels: Labels,
  ports: ServicePort[],
  selector: Labels,
  clusterIP = '10.96.0.9',
): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'istio-system', labels },
    spec: { type: 'ClusterIP', clusterIP, ports, selector },
  }
}

const named = (name: string) => ({ 'app.kubernetes.io/name': name, 'app.kubernetes.io/instance': name })
const port = (name: string, number: number, targetPort: number | string = number) => ({
  name,
  port: number,
  targetPort,
  protocol: 'TCP',
})

export const GRAFANA: Service[] = [
  service(
    'grafana',
    { 'helm.sh/chart': 'grafana-9.2.2', ...named('grafana') },
    [port('service', 3000)],
    named('grafana'),
  ),
]

export const KIALI: Service[] = [
  service(
    'kiali',
    { app: 'kiali', ...named('kiali'), 'app.kubernetes.io/part-of': 'kiali' },
    [
      { name: 'http', protocol: 'TCP', port: 20001 },
      { name: 'http-metrics', protocol: 'TCP', port: 9090 },
    ],
    named('kiali'),
  ),
]

const PROMETHEUS_SERVER = { 'app.kubernetes.io/component': 'server', ...named('prometheus') }
export const PROMETHEUS: Service[] = [
  service(
    'prometheus',
    { ...PROMETHEUS_SERVER, 'app.kubernetes.io/part-of': 'prometheus' },
    [port('http', 9090)],
    PROMETHEUS_SERVER,
  ),
]

export const LOKI: Service[] = [
  service(
    'loki',
    named('loki'),
    [port('http-metrics', 3100, 'http-metrics'), port('grpc', 9095, 'grpc')],
    named('loki'),
  ),
  service('loki-headless', named('loki'), [port('http-metrics', 3100, 'http-metrics')], named('loki'), 'None'),
  service('loki-memberlist', named('loki'), [port('tcp', 7946, 'http-memberlist')], named('loki'), 'None'),
]

const JAEGER_PODS = { app: 'jaeger' }
export const JAEGER: Service[] = [
  service(
    'jaeger-collector',
    { app: 'jaeger' },
    [
      port('jaeger-collector-http', 14268),
      port('jaeger-collector-grpc', 14250),
      port('http-zipkin', 9411),
      { name: 'grpc-otel', port: 4317 },
      { name: 'http-otel', port: 4318 },
    ],
    JAEGER_PODS,
  ),
  service('tracing', { app: 'jaeger' }, [port('http-query', 80, 16686), port('grpc-query', 16685)], JAEGER_PODS),
  service('zipkin', { name: 'zipkin' }, [port('http-query', 9411)], JAEGER_PODS),
]

const ZIPKIN_PODS = { app: 'zipkin' }
export const ZIPKIN: Service[] = [
  service('tracing', { app: 'zipkin' }, [port('http-query', 80, 9411)], ZIPKIN_PODS),
  service('zipkin', { name: 'zipkin' }, [port('http-query', 9411)], ZIPKIN_PODS),
]

const OAP_PODS = { app: 'skywalking-oap' }
const UI_PODS = { app: 'skywalking-ui' }
const OAP_PORTS = [port('grpc', 11800), port('http-query', 12800)]
export const SKYWALKING: Service[] = [
  service('skywalking-oap', { name: 'skywalking-oap' }, OAP_PORTS, OAP_PODS),
  service('skywalking-ui', { name: 'skywalking-ui' }, [port('http', 8080)], UI_PODS),
  service('tracing', { app: 'skywalking-oap' }, OAP_PORTS, OAP_PODS),
  service('tracing-ui', { app: 'skywalking-ui' }, [port('http', 8080)], UI_PODS),
]
