import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { ownedLabels } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import { GATEWAY_NAME, TLS_SECRET_NAME } from './names.ts'

export interface GatewayRequest {
  /** The namespace of the ingress gateway's pods: its Secrets are read from there. */
  namespace: string
  selector: Record<string, string>
  servers: { name: string; port: number; hosts: string[]; serves: keyof typeof SERVES }[]
}

const SERVES = {
  https: { protocol: 'HTTPS', tls: { mode: 'SIMPLE', credentialName: TLS_SECRET_NAME } },
  http: { protocol: 'HTTP' },
  redirect: { protocol: 'HTTP', tls: { httpsRedirect: true } },
}

/** https://istio.io/latest/docs/reference/config/networking/gateway/ */
export function gateway(resource: Resource, { namespace, selector, servers }: GatewayRequest): KubeObject {
  return {
    ...typeOf(resource),
    metadata: { name: GATEWAY_NAME, namespace, labels: ownedLabels() },
    spec: {
      selector,
      servers: servers.map(({ name, port, hosts, serves }) => {
        const { protocol, ...tls } = SERVES[serves]
        return { hosts, port: { name, number: port, protocol }, ...tls }
      }),
    },
  }
}
