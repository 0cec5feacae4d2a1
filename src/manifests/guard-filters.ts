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
