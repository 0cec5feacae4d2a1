import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { scrapingLabels } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'

export interface MetricsGatewayRequest {
  /** Of the Gateway, the VirtualService and the ServiceEntry alike. */
  name: string
  /** Of the gateway's pods. */
  namespace: string
  selector: Record<string, string>
  port: number
}

/**
 * A Gateway for this port alone: whoever comes has to have a certificate of the mesh. On one with port 80 beside it, the route would be
 * there as well, in clear. Any name, because Prometheus asks pods by their address.
 */
export function metricsGateway(
  resource: Resource,
  { name, namespace, selector, port }: MetricsGatewayRequest,
): KubeObject {
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: scrapingLabels() },
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
