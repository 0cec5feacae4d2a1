import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { EXPOSING, ownedLabels, SCRAPING } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import { externalGuardName, guardName } from './names.ts'
import { LIST_PROBES, LOGIN_PROBE, listProbe } from './probe-paths.ts'

/** Identifies the requests for one add-on at a gateway. */
export interface GuardedRequests {
  /** The namespace and labels of the ingress gateway's pods. */
  namespace: string
  selector: Record<string, string>
  addonName: string
  /** Left out where its port serves any host. */
  host: string | undefined
  /** Ports of the pods; all if left out. */
  ports?: number[] | undefined
  /** Server names (SNI) that lead to our hosts; left out for HTTP. */
  serverNames?: string[] | undefined
}

/**
 * Denies an add-on's requests from other addresses, and one path for everybody, which proves at the gateway that this very policy is in
 * force. The action is DENY, because one ALLOW policy forbids everything else at the gateway.
 * For TCP, conditions on HTTP count as met: with only the host as a condition, the policy would refuse every TLS connection that the
 * gateway passes through (seen), so server names or ports are conditions too. `remoteIpBlocks` follows the mesh's numTrustedProxies.
 * Beside an external authorizer there may be no list: istiod sends this policy together with the older one for the authorizer.
 * https://istio.io/latest/docs/reference/config/security/authorization-policy/
 */
export function allowList(resource: Resource, request: GuardedRequests, cidrs: string[] | undefined): KubeObject {
  const { namespace, selector, addonName } = request
  const others =
    cidrs === undefined ? [] : [{ from: [{ source: { notRemoteIpBlocks: cidrs } }], ...requestsOf(request) }]
  const content = [selector, ...others, requestsOf(request)]
  return {
    ...typeOf(resource),
    metadata: { name: guardName(addonName), namespace, labels: ownedLabels(EXPOSING, addonName) },
    spec: {
      selector: { matchLabels: selector },
      action: 'DENY',
      rules: [...others, requestsOf(request, { paths: [listProbe(content)] })],
    },
  }
}

/**
 * Sends an add-on's requests to an external authorizer of the mesh configuration.
 * https://istio.io/latest/docs/tasks/security/authorization/authz-custom/
 * @param provider the name of an extension provider
 */
export function externalAuthorization(resource: Resource, request: GuardedRequests, provider: string): KubeObject {
  const { namespace, selector, addonName } = request
  return {
    ...typeOf(resource),
    metadata: { name: externalGuardName(addonName), namespace, labels: ownedLabels(EXPOSING, addonName) },
    spec: {
      selector: { matchLabels: selector },
      action: 'CUSTOM',
      provider: { name: provider },
      rules: [requestsOf(request, { notPaths: [LOGIN_PROBE, `${LIST_PROBES}*`] })],
    },
  }
}

/** The port on which a workload serves its metrics. */
export interface MetricsPort {
  name: string
  /** Namespace and labels of the workload's pods. */
  namespace: string
  labels: Record<string, string>
  port: number
  path: string
}

/**
 * Denies all requests at the metrics port except for metrics: it leads to the agent, which trusts the proxy and exits on
 * `POST /quitquitquit` (seen). The action is DENY, because an ALLOW policy would forbid everything else at the workload.
 * @param principal the only client that may ask, if any
 */
export function onlyMetrics(resource: Resource, request: MetricsPort, principal?: string): KubeObject {
  const { name, namespace, labels, port, path } = request
  const others = { from: [{ source: { notPrincipals: [principal] } }], to: [{ operation: { ports: [String(port)] } }] }
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: ownedLabels(SCRAPING) },
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

/**
 * A rule for the user's ALLOW policy, which forbids everything else at the pods. It is in that policy, because a policy of ours would forbid
 * everything else as soon as the user's is gone. @param principal the only client that may ask, if any
 */
export function metricsRule({ port, path }: Pick<MetricsPort, 'port' | 'path'>, principal?: string): object {
  return {
    ...(principal === undefined ? {} : { from: [{ source: { principals: [principal] } }] }),
    to: [{ operation: { ports: [String(port)], paths: [path] } }],
  }
}

/** Every path but the one at which a stranger's answer is asked for: it never leads to the add-on. */
const ALL_PATHS = { notPaths: [LOGIN_PROBE] }

/** The Host header may contain any port; Envoy ignores it for routing. */
function requestsOf({ host, ports, serverNames }: GuardedRequests, paths: object = ALL_PATHS): object {
  const listeners = ports === undefined ? {} : { ports: ports.map(String) }
  const hosts = host === undefined ? {} : { hosts: [host, `${host}:*`] }
  return {
    to: [{ operation: { ...hosts, ...listeners, ...paths } }],
    ...(serverNames === undefined ? {} : { when: [{ key: 'connection.sni', values: serverNames }] }),
  }
}
