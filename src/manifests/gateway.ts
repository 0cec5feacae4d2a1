import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { ownedLabels } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import { GATEWAY_NAME, TLS_SECRET_NAME } from './names.ts'

export interface GatewayRequest {
  /** The namespace of the ingress gateway's pods: its Secrets are read from there. */
  namespace: string
  selector: Record<string, string>
  /** The Secret that HTTPS is served with; ours when left out. */
  credentialName?: string | undefined
  servers: { name: string; port: number; hosts: string[]; serves: keyof typeof SERVES }[]
}

const SERVES = {
  https: { protocol: 'HTTPS', tls: { mode: 'SIMPLE' } },
  http: { protocol: 'HTTP' },
  redirect: { protocol: 'HTTP', tls: { httpsRedirect: true } },
}

/** https://istio.io/latest/docs/reference/config/networking/gateway/ */
export function gateway(
  resource: Resource,
  { namespace, selector, servers, credentialName = TLS_SECRET_NAME }: GatewayRequest,
): KubeObject {
  return {
    ...typeOf(resource),
    metadata: { name: GATEWAY_NAME, namespace, labels: ownedLabels() },
    spec: {
      selector,
      servers: servers.map(({ name, port, hosts, serves }) => {
        const { protocol, ...tls } = SERVES[serves]
        const secure = serves === 'https' ? { tls: { ...SERVES.https.tls, credentialName } } : tls
        return { hosts, port: { name, number: port, protocol }, ...secure }
      }),
    },
  }
}
