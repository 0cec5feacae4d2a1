import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { EXPOSING, type GatewayNotes, gatewayNotes, MULTICLUSTER, ownedLabels } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import { GATEWAY_NAME, passedHostNote, TLS_SECRET_NAME } from './names.ts'

export interface GatewayRequest {
  /** The namespace of the ingress gateway's pods, from which it reads Secrets. */
  namespace: string
  selector: Record<string, string>
  notes: GatewayNotes
  /** Name of the TLS Secret; by default ours. */
  credentialName?: string | undefined
  servers: { name: string; port: number; hosts: string[]; serves: keyof typeof SERVES }[]
}

const SERVES = {
  https: { protocol: 'HTTPS', tls: { mode: 'SIMPLE' } },
  http: { protocol: 'HTTP' },
  redirect: { protocol: 'HTTP', tls: { httpsRedirect: true } },
}

/** Only routes of the Gateway's own namespace may use the host: anybody else could add one that no rule of ours applies to. */
export function hostHere(host: string): string {
  return `./${host}`
}

/** https://istio.io/latest/docs/reference/config/networking/gateway/ */
export function gateway(
  resource: Resource,
  { namespace, selector, notes, servers, credentialName = TLS_SECRET_NAME }: GatewayRequest,
): KubeObject {
  return {
    ...typeOf(resource),
    metadata: { name: GATEWAY_NAME, namespace, labels: ownedLabels(EXPOSING), ...gatewayNotes(notes) },
    spec: {
      selector,
      servers: servers.map(({ name, port, hosts, serves }) => {
        const { protocol, ...tls } = SERVES[serves]
        const secure = serves === 'https' ? { tls: { ...SERVES.https.tls, credentialName } } : tls
        return { hosts: hosts.map(hostHere), port: { name, number: port, protocol }, ...secure }
      }),
    },
  }
}

export interface PassingGatewayRequest {
  name: string
  /** Of the gateway's pods. */
  namespace: string
  selector: Record<string, string>
  port: number
  hosts: string[]
  /**
   * `AUTO_PASSTHROUGH`: to the service that the server name says, of those with these hosts; `PASSTHROUGH`: to where a VirtualService says.
   * https://istio.io/latest/docs/reference/config/networking/gateway/#ServerTLSSettings-TLSmode
   */
  mode: 'AUTO_PASSTHROUGH' | 'PASSTHROUGH'
  /** The version of the object of which the hosts were read: another run may have added some since. */
  resourceVersion?: string | undefined
  /** The only host of which it passes calls on, for an egress gateway. */
  passed?: string | undefined
}

/** Passes mutual TLS on between a caller and a pod, which see each other's certificates. */
export function passingGateway(resource: Resource, request: PassingGatewayRequest): KubeObject {
  const { name, namespace, selector, port, hosts, mode, resourceVersion, passed } = request
  const version = resourceVersion === undefined ? {} : { resourceVersion }
  const note = passed === undefined ? {} : passedHostNote(passed)
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: ownedLabels(MULTICLUSTER), ...version, ...note },
    spec: {
      selector,
      servers: [{ hosts, port: { name: 'tls-multicluster', number: port, protocol: 'TLS' }, tls: { mode } }],
    },
  }
}
