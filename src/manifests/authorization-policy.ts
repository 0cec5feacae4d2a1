import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { ownedLabels, scrapingLabels } from '../cluster/ownership.ts'
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

/** Where a workload serves its metrics. */
export interface MetricsPort {
  name: string
  /** The namespace and labels of its pods. */
  namespace: string
  labels: Record<string, string>
  port: number
  path: string
}

/**
 * Refuses everything at the port of the metrics but the metrics: behind it is the agent, for which the proxy is this pod, and which ends on
 * `POST /quitquitquit` (seen). DENY, because an ALLOW policy would forbid everything else at the workload.
 * @param principal who may ask, when only one may
 */
export function metricsAlone(resource: Resource, request: MetricsPort, principal?: string): KubeObject {
  const { name, namespace, labels, port, path } = request
  const others = { from: [{ source: { notPrincipals: [principal] } }], to: [{ operation: { ports: [String(port)] } }] }
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: scrapingLabels() },
    spec: {
      selector: { matchLabels: labels },
      action: 'DENY',
      rules: [
        { to: [{ operation: { ports: [String(port)], notPaths: [path] } }] },
        ...(principal === undefined ? [] : [others]),
      ],
    },
  }
}

/** Lets the port's requests in where ALLOW policies of others forbid what they do not name; what is refused there, another policy says. */
export function metricsAllowed(
  resource: Resource,
  { name, namespace, labels, port }: Omit<MetricsPort, 'path'>,
): KubeObject {
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: scrapingLabels() },
    spec: {
      selector: { matchLabels: labels },
      action: 'ALLOW',
      rules: [{ to: [{ operation: { ports: [String(port)] } }] }],
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
