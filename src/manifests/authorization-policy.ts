import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { ownedLabels } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import { externalGuardName, guardName } from './names.ts'

/** Which requests at a gateway are an add-on's. */
export interface GuardedRequests {
  /** The namespace and labels of the ingress gateway's pods. */
  namespace: string
  selector: Record<string, string>
  addonName: string
  host: string
  /** Ports of the pods; all when left out. */
  ports?: number[] | undefined
  /** Names in the TLS handshake that lead to our hosts; left out for HTTP. */
  serverNames?: string[] | undefined
}

/**
 * Refuses an add-on's requests from elsewhere. DENY, because one ALLOW policy makes everything else at the gateway forbidden. For
 * TCP, conditions on HTTP count as met: with the host alone it would refuse every connection that the gateway passes through to
 * somebody else (seen), so server names or ports are conditions too. `remoteIpBlocks` follows the mesh's numTrustedProxies.
 * https://istio.io/latest/docs/reference/config/security/authorization-policy/
 */
export function allowList(resource: Resource, request: GuardedRequests, cidrs: string[]): KubeObject {
  const { namespace, selector, addonName } = request
  return {
    ...typeOf(resource),
    metadata: { name: guardName(addonName), namespace, labels: ownedLabels(addonName) },
    spec: {
      selector: { matchLabels: selector },
      action: 'DENY',
      rules: [{ from: [{ source: { notRemoteIpBlocks: cidrs } }], ...requestsOf(request) }],
    },
  }
}

/**
 * Hands an add-on's requests to an authorizer that the mesh configuration knows.
 * https://istio.io/latest/docs/tasks/security/authorization/authz-custom/
 * @param provider the name of an extension provider
 */
export function externalAuthorization(resource: Resource, request: GuardedRequests, provider: string): KubeObject {
  const { namespace, selector, addonName } = request
  return {
    ...typeOf(resource),
    metadata: { name: externalGuardName(addonName), namespace, labels: ownedLabels(addonName) },
    spec: {
      selector: { matchLabels: selector },
      action: 'CUSTOM',
      provider: { name: provider },
      rules: [requestsOf(request)],
    },
  }
}

/** The Host header may have any port behind it; Envoy routes it all the same. */
function requestsOf({ host, ports, serverNames }: GuardedRequests): object {
  const listeners = ports === undefined ? {} : { ports: ports.map(String) }
  return {
    to: [{ operation: { hosts: [host, `${host}:*`], ...listeners } }],
    ...(serverNames === undefined ? {} : { when: [{ key: 'connection.sni', values: serverNames }] }),
  }
}
