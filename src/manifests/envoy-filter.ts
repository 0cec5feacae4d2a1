import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { ownedLabels } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import type { GuardedRequests } from './authorization-policy.ts'
import { guardName } from './names.ts'

/** An HTTP filter of Envoy's that is asked for one add-on's requests alone. */
export interface GuardFilter {
  /** Of its configuration at the listener, where it is switched off … */
  config: object
  /** … and at our virtual host, which switches it on. */
  perHost: object
  /** Further clusters that it needs. */
  clusters?: object[]
}

/** Which virtual host at the gateway is the add-on's. */
export interface FilteredRequests extends GuardedRequests {
  /** The port of the Gateway's server, by which istiod names virtual hosts. */
  serverPort: number
}

/**
 * Others share listeners with us, so the filter is there switched off (`disabled`), and is switched on by our virtual host: whoever is
 * routed by it is asked, whatever name the connection was opened for. It is the last but the router: addresses are looked at first.
 * https://istio.io/latest/docs/reference/config/networking/envoy-filter/
 */
export function guardFilter(resource: Resource, request: FilteredRequests, filter: GuardFilter): KubeObject {
  const { namespace, selector, addonName, host, serverPort } = request
  const name = `kubectl-telemetry.${addonName}`
  return {
    ...typeOf(resource),
    metadata: { name: guardName(addonName), namespace, labels: ownedLabels(addonName) },
    spec: {
      workloadSelector: { labels: selector },
      configPatches: [
        ...listenersOf(request).map((listener) => ({
          applyTo: 'HTTP_FILTER',
          match: { context: 'GATEWAY', listener },
          patch: { operation: 'INSERT_BEFORE', value: { name, disabled: true, typed_config: filter.config } },
        })),
        {
          applyTo: 'VIRTUAL_HOST',
          match: { context: 'GATEWAY', routeConfiguration: { vhost: { name: `${host}:${serverPort}` } } },
          patch: { operation: 'MERGE', value: { typed_per_filter_config: { [name]: filter.perHost } } },
        },
        ...(filter.clusters ?? []).map((value) => ({
          applyTo: 'CLUSTER',
          match: { context: 'GATEWAY' },
          patch: { operation: 'ADD', value },
        })),
      ],
    },
  }
}

/** By HTTPS our own filter chain, known by the name in the handshake; by HTTP all of the listener, which all hosts share. */
function listenersOf({ host, ports, serverNames }: FilteredRequests): object[] {
  const router = { subFilter: { name: 'envoy.filters.http.router' } }
  const filter = { name: 'envoy.filters.network.http_connection_manager', ...router }
  const filterChain = { ...(serverNames === undefined ? {} : { sni: host }), filter }
  return ports === undefined ? [{ filterChain }] : ports.map((portNumber) => ({ portNumber, filterChain }))
}
