/** Envoy's own filters that ask for a login, as its API has them. */
import type { GuardFilter } from './envoy-filter.ts'

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.http'

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/http/basic_auth/v3/basic_auth.proto */
export function basicAuth(users: string[]): GuardFilter {
  const list = { users: { inline_string: `${users.join('\n')}\n` } }
  return {
    config: { '@type': `${FILTERS}.basic_auth.v3.BasicAuth`, ...list },
    perHost: { '@type': `${FILTERS}.basic_auth.v3.BasicAuthPerRoute`, ...list },
  }
}

export interface TokenRequest {
  addonName: string
  issuer: string
  /** Any when there are none. */
  audiences: string[]
  /** Where the issuer's keys are, or they themselves. */
  keys: { uri: string } | { inline: string }
}

/** What a token has to satisfy, by the name under which the virtual host asks for it. */
const REQUIREMENT = 'token'
/** Where Istio's images have the system's authorities. */
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt'

/**
 * Not by a RequestAuthentication: that is for all of the gateway, and refuses whatever token others' pages are asked with (seen).
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/http/jwt_authn/v3/config.proto
 */
export function jwtAuthentication({ addonName, issuer, audiences, keys }: TokenRequest): GuardFilter {
  const remote = 'uri' in keys ? remoteKeys(keys.uri, `kubectl-telemetry.${addonName}.jwks`) : undefined
  const source = 'inline' in keys ? { local_jwks: { inline_string: keys.inline } } : { remote_jwks: remote?.jwks }
  const type = `${FILTERS}.jwt_authn.v3`
  return {
    config: {
      '@type': `${type}.JwtAuthentication`,
      providers: { [REQUIREMENT]: { issuer, ...(audiences.length === 0 ? {} : { audiences }), ...source } },
      requirement_map: { [REQUIREMENT]: { provider_name: REQUIREMENT } },
      rules: [{ match: { prefix: '/' }, requires: { provider_name: REQUIREMENT } }],
    },
    perHost: { '@type': `${type}.PerRouteConfig`, requirement_name: REQUIREMENT },
    clusters: remote?.clusters ?? [],
  }
}

/** Keys at a Service come by the cluster that the gateway has of it, others by one of their own. */
function remoteKeys(uri: string, ownName: string): { jwks: object; clusters: object[] } {
  const { hostname, port, protocol } = new URL(uri)
  const number = Number(port || { 'https:': 443, 'http:': 80 }[protocol])
  const service = serviceHost(hostname)
  const cluster = service === undefined ? ownName : `outbound|${number}||${service}`
  return {
    jwks: { http_uri: { uri, cluster, timeout: '5s' }, cache_duration: '300s' },
    clusters: service === undefined ? [clusterOf(ownName, hostname, number)] : [],
  }
}

/** `NAME.NAMESPACE.svc.cluster.local` of a Service's name; `undefined` for other hosts. */
export function serviceHost(hostname: string): string | undefined {
  const [, name] = /^([a-z0-9-]+\.[a-z0-9-]+)\.svc(\.cluster\.local)?$/.exec(hostname) ?? []
  return name === undefined ? undefined : `${name}.svc.cluster.local`
}

function clusterOf(name: string, host: string, port: number): object {
  const address = { socket_address: { address: host, port_value: port } }
  const names = [{ san_type: 'DNS', matcher: { exact: host } }]
  return {
    name,
    type: 'STRICT_DNS',
    connect_timeout: '5s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    transport_socket: {
      name: 'envoy.transport_sockets.tls',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
        sni: host,
        common_tls_context: {
          validation_context: { trusted_ca: { filename: AUTHORITIES }, match_typed_subject_alt_names: names },
        },
      },
    },
  }
}
