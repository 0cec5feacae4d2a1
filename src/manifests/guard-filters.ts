/** Configurations of Envoy's filters that require a login. */
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
  /** Empty if any audience is accepted. */
  audiences: string[]
  /** The issuer's keys, or their URL. */
  keys: { uri: string } | { inline: string }
  /** The domain of Services. */
  clusterDomain: string
}

/** Name of the requirement, by which the virtual host refers to it. */
const REQUIREMENT = 'token'
/** Path of the system's CA certificates in Istio's images. */
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt'

/**
 * Not a RequestAuthentication, which applies to the whole gateway and refuses tokens for other pages (seen).
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/http/jwt_authn/v3/config.proto
 */
export function jwtAuthentication({ addonName, issuer, audiences, keys, clusterDomain }: TokenRequest): GuardFilter {
  const ownName = `kubectl-telemetry.${addonName}.jwks`
  const remote = 'uri' in keys ? remoteKeys(keys.uri, ownName, clusterDomain) : undefined
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

/** Keys from a Service come over the gateway's cluster for it; for other URLs a new cluster is added. */
function remoteKeys(uri: string, ownName: string, clusterDomain: string): { jwks: object; clusters: object[] } {
  const { hostname, port, protocol } = new URL(uri)
  const number = Number(port || { 'https:': 443, 'http:': 80 }[protocol])
  const service = serviceHost(hostname, clusterDomain)
  const cluster = service === undefined ? ownName : `outbound|${number}||${service}`
  return {
    jwks: { http_uri: { uri, cluster, timeout: '5s' }, cache_duration: '300s' },
    clusters: service === undefined ? [clusterOf(ownName, hostname, number)] : [],
  }
}

/** The full name `NAME.NAMESPACE.svc.DOMAIN` of a Service; `undefined` for other hosts. */
export function serviceHost(hostname: string, clusterDomain: string): string | undefined {
  const [, name, domain = clusterDomain] = /^([a-z0-9-]+\.[a-z0-9-]+)\.svc(?:\.(.+))?$/.exec(hostname) ?? []
  return name === undefined || domain !== clusterDomain ? undefined : `${name}.svc.${clusterDomain}`
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
