import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { ownedLabels, SCRAPING } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'

export interface MetricsGatewayRequest {
  /** Name of the Gateway, the VirtualService and the ServiceEntry. */
  name: string
  /** Labels of the gateway's pods. */
  namespace: string
  selector: Record<string, string>
  port: number
}

/**
 * A Gateway only for this port, which requires a client certificate of the mesh. A Gateway with port 80 would have the route there too,
 * in plaintext. The host is `*`, because Prometheus connects to pods by address.
 */
export function metricsGateway(
  resource: Resource,
  { name, namespace, selector, port }: MetricsGatewayRequest,
): KubeObject {
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: ownedLabels(SCRAPING) },
    spec: {
      selector,
      servers: [
        {
          hosts: ['*'],
          port: { name: 'https-telemetry-metrics', number: port, protocol: 'HTTPS' },
          tls: { mode: 'ISTIO_MUTUAL' },
        },
      ],
    },
  }
}
