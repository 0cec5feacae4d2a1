import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { ownedLabels } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import { GATEWAY_NAME, TLS_SECRET_NAME } from './names.ts'

export interface GatewayRequest {
  /** The namespace of the ingress gateway's pods: its Secrets are read from there. */
  namespace: string
  selector: Record<string, string>
  hosts: string[]
}

/**
 * ONE Gateway with ONE HTTPS server that lists every host. Each server is a filter chain and a route table of its own, so with
 * several servers and one certificate a browser that reuses its HTTP/2 connection for the next host gets 404 (istio#13589).
 * https://istio.io/latest/docs/reference/config/networking/gateway/
 */
export function gateway(resource: Resource, { namespace, selector, hosts }: GatewayRequest): KubeObject {
  return {
    ...typeOf(resource),
    metadata: { name: GATEWAY_NAME, namespace, labels: ownedLabels() },
    spec: {
      selector,
      servers: [
        {
          hosts,
          port: { name: 'https-telemetry', number: 443, protocol: 'HTTPS' },
          tls: { mode: 'SIMPLE', credentialName: TLS_SECRET_NAME },
        },
      ],
    },
  }
}
