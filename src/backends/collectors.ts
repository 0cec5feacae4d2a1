/** Where tracing backends take spans, by the ports of their Services. Pure. */
import type { Service, ServicePort } from '../cluster/objects.ts'

/** Protocols in which Istio's proxies send spans: https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/ */
export type SpanProtocol = 'opentelemetry' | 'zipkin' | 'skywalking'

export interface Collector {
  protocol: SpanProtocol
  /** Whether OpenTelemetry's protocol is sent over HTTP, and not over gRPC. */
  http: boolean
  namespace: string
  service: string
  port: number
}

interface Row extends Pick<Collector, 'protocol' | 'http'> {
  /** Registered, or the default of the product. */
  number: number
  names: RegExp
}

/** The best one first: OpenTelemetry over gRPC is what Istio recommends. */
const ROWS: Row[] = [
  { protocol: 'opentelemetry', http: false, number: 4317, names: /^(otlp|(grpc-?(otel|otlp))|((otel|otlp)-?grpc))$/ },
  { protocol: 'zipkin', http: false, number: 9411, names: /^(http-)?zipkin$/ },
  { protocol: 'opentelemetry', http: true, number: 4318, names: /^((http-?(otel|otlp))|((otel|otlp)-?http))$/ },
  { protocol: 'skywalking', http: false, number: 11_800, names: /^(grpc-)?(skywalking|oap)$/ },
]

/** @param services those of one backend */
export function collectorsIn(services: readonly Service[]): Collector[] {
  return ROWS.flatMap((row) =>
    services.flatMap((service) => (service.spec.ports ?? []).filter((port) => fits(port, row)).map(at(service, row))),
  )
}

/** The collector at this port of a Service; `undefined` if nothing says which protocol it speaks. */
export function collectorAt(service: Service, number: number): Collector | undefined {
  const port = service.spec.ports?.find((one) => one.port === number)
  const row = port && ROWS.find((one) => fits(port, one))
  return port && row && at(service, row)(port)
}

function at({ metadata: { name, namespace = '' } }: Service, { protocol, http }: Row) {
  return ({ port }: ServicePort): Collector => ({ protocol, http, namespace, service: name, port })
}

/** The number counts before the name. Istio's sample of Jaeger has the name `http-zipkin` for 9411, and Zipkin's `http-query`. */
function fits({ name = '', port, targetPort, protocol = 'TCP' }: ServicePort, row: Row): boolean {
  if (protocol !== 'TCP') return false
  const numbers = [port, targetPort]
  if (numbers.includes(row.number)) return true
  return !ROWS.some(({ number }) => numbers.includes(number)) && row.names.test(name)
}
