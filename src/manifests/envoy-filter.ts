import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { EXPOSING, ownedLabels } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import type { GuardedRequests } from './authorization-policy.ts'
import { guardName } from './names.ts'

/** An HTTP filter of Envoy that checks only the requests for one add-on. */
export interface GuardFilter {
  /** Configuration at the listener, where the filter is disabled. */
  config: object
  /** Configuration at our virtual host, which enables the filter. */
  perHost: object
  /** More clusters that the filter needs. */
  clusters?: object[]
}

/** Identifies the add-on's virtual host at the gateway. */
export interface FilteredRequests extends GuardedRequests {
  /** The port of the Gateway's server, which is part of istiod's virtual host names. */
  serverPort: number
}

/**
 * Other hosts share the listener, so the filter is `disabled` there and enabled by our virtual host: it checks all requests that are
 * routed to the add-on, whatever server name the connection has. It runs directly before the router, after the check of addresses.
 * https://istio.io/latest/docs/reference/config/networking/envoy-filter/
 */
export function guardFilter(resource: Resource, request: FilteredRequests, filter: GuardFilter): KubeObject {
  const { namespace, selector, addonName, host, serverPort } = request
  const name = `kubectl-telemetry.${addonName}`
  return {
    ...typeOf(resource),
    metadata: { name: guardName(addonName), namespace, labels: ownedLabels(EXPOSING, addonName) },
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
          match: { context: 'GATEWAY', routeConfiguration: { vhost: { name: `${host ?? '*'}:${serverPort}` } } },
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

/** With HTTPS our own filter chain, matched by its server name; with HTTP the whole listener, which all hosts share. */
function listenersOf({ host, ports, serverNames }: FilteredRequests): object[] {
  const router = { subFilter: { name: 'envoy.filters.http.router' } }
  const filter = { name: 'envoy.filters.network.http_connection_manager', ...router }
  const filterChain = { ...(serverNames === undefined ? {} : { sni: host }), filter }
  return ports === undefined ? [{ filterChain }] : ports.map((portNumber) => ({ portNumber, filterChain }))
}
