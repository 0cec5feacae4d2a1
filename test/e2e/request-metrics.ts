/**
 * Istio's counter of requests, from a stock Envoy. Istio's own filter is not in it; its access logger for statistics is, with the
 * labels that Kiali asks for. What it lacks is in docs/lab.md.
 */
/**
 * A Wasm module that does nothing (memory, malloc, proxy_abi_version_0_2_1). Where there is one, Envoy strips `wasmcustom` from the names of
 * statistics, and Istio's bootstrap lets names that begin with `wasm` through.
 */
const NOTHING =
  'AGFzbQEAAAABCQJgAABgAX8BfwMDAgABBQMBAAEHLQMGbWVtb3J5AgAXcHJveHlfYWJpX3ZlcnNpb25fMF8yXzEAAAZtYWxsb2MAAQoKAgIACwUAQYAICw=='
const PREFIX = 'wasmcustom'
const HTTP = 'type.googleapis.com/envoy.extensions.filters'
const UNKNOWN = 'unknown'
/** For all workloads of the mesh. */
const ROOT_NAMESPACE = 'istio-system'

type Tags = Record<string, string>

const cel = (expression: string) => `%CEL(${expression})%`
const label = (name: string) => cel(`xds.node.metadata['LABELS']['service.istio.io/canonical-${name}']`)
/** What the proxy knows of its own pod. */
const own = (side: 'source' | 'destination'): Tags => ({
  [`${side}_workload`]: '%ENVIRONMENT(ISTIO_META_WORKLOAD_NAME)%',
  [`${side}_workload_namespace`]: '%ENVIRONMENT(POD_NAMESPACE)%',
  [`${side}_canonical_service`]: label('name'),
  [`${side}_canonical_revision`]: label('revision'),
})
/** istiod writes both into the configuration: services into the cluster, `workload;namespace;service;revision;…` into each endpoint. */
const service = (field: string) => cel(`xds.cluster_metadata.filter_metadata['istio']['services'][0]['${field}']`)
const WORKLOAD = "xds.upstream_host_metadata.filter_metadata['istio']['workload']"
const endpoint = (at: number) =>
  cel(`has(xds.upstream_host_metadata) ? re.capture(${WORKLOAD}, '${'[^;]*;'.repeat(at)}([^;]*);.*') : '${UNKNOWN}'`)
/** A part of the peer's identity, spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT. */
const peer = (part: 'ns' | 'sa') =>
  cel(`connection.mtls ? re.capture(connection.uri_san_peer_certificate, '.*/${part}/([^/]*).*') : '${UNKNOWN}'`)
const IS_GRPC = "'content-type' in request.headers && request.headers['content-type'].startsWith('application/grpc')"

const SHARED: Tags = {
  destination_service: service('host'),
  destination_service_name: service('name'),
  destination_service_namespace: service('namespace'),
  request_protocol: cel(`${IS_GRPC} ? 'grpc' : 'http'`),
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
}
const BY_DESTINATION: Tags = {
  reporter: 'destination',
  ...own('destination'),
  source_workload: peer('sa'),
  source_workload_namespace: peer('ns'),
  source_canonical_service: peer('sa'),
  source_canonical_revision: UNKNOWN,
  connection_security_policy: cel("connection.mtls ? 'mutual_tls' : 'none'"),
}
const BY_SOURCE: Tags = {
  reporter: 'source',
  ...own('source'),
  destination_workload: endpoint(0),
  destination_workload_namespace: endpoint(1),
  destination_canonical_service: endpoint(2),
  destination_canonical_revision: endpoint(3),
  connection_security_policy: UNKNOWN,
}

const MANAGER = 'envoy.filters.network.http_connection_manager'

/** Counts in the connection managers of one kind of listener. */
function counting(context: string, tags: Tags): object[] {
  const filterChain = (filter: object) => ({ context, listener: { filterChain: { filter } } })
  const vm = { vm_id: 'nothing', runtime: 'envoy.wasm.runtime.v8', code: { local: { inline_bytes: NOTHING } } }
  const nothing = { name: 'nothing', failure_policy: 'FAIL_OPEN', vm_config: vm }
  const named = Object.entries({ ...SHARED, ...tags }).map(([name, value_format]) => ({ name, value_format }))
  const logger = {
    '@type': 'type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config',
    stat_prefix: PREFIX,
    counters: [{ stat: { name: 'istio_requests_total', tags: named }, value_fixed: 1 }],
  }
  const manager = {
    '@type': `${HTTP}.network.http_connection_manager.v3.HttpConnectionManager`,
    access_log: [{ name: 'envoy.access_loggers.stats', typed_config: logger }],
  }
  const filter = {
    name: 'lab.nothing',
    typed_config: { '@type': `${HTTP}.http.wasm.v3.Wasm`, config: nothing },
  }
  return [
    {
      applyTo: 'HTTP_FILTER',
      match: filterChain({ name: MANAGER, subFilter: { name: 'envoy.filters.http.router' } }),
      patch: { operation: 'INSERT_BEFORE', value: filter },
    },
    {
      applyTo: 'NETWORK_FILTER',
      match: filterChain({ name: MANAGER }),
      patch: { operation: 'MERGE', value: { typed_config: manager } },
    },
  ]
}

/** Applied, it makes every sidecar and gateway count its requests as `istio_requests_total`. */
export function requestMetrics(): object {
  return {
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: { name: 'lab-request-metrics', namespace: ROOT_NAMESPACE },
    spec: {
      configPatches: [
        ...counting('SIDECAR_INBOUND', BY_DESTINATION),
        ...counting('SIDECAR_OUTBOUND', BY_SOURCE),
        ...counting('GATEWAY', BY_SOURCE),
      ],
    },
  }
}
