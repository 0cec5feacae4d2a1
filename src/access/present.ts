/** Which guards there are, read from our objects: pure. The truth about who may enter is in the cluster. */
import type { KubeObject } from '../cluster/cluster.ts'
import { componentOf, isOwned } from '../cluster/ownership.ts'
import type { Guard, Guards, Login } from './guard.ts'

interface PolicySpec {
  action?: string
  provider?: { name: string }
  rules?: { from?: { source?: { notRemoteIpBlocks?: string[] } }[] }[]
}

interface FilterSpec {
  configPatches?: { applyTo: string; patch?: { value?: { typed_config?: FilterConfig } } }[]
}

interface FilterConfig {
  '@type': string
  users?: { inline_string: string }
  providers?: Record<string, JwtProvider>
}

interface JwtProvider {
  issuer: string
  audiences?: string[]
  remote_jwks?: { http_uri: { uri: string } }
  local_jwks?: { inline_string: string }
}

/** @param objects AuthorizationPolicies and EnvoyFilters of a gateway's namespace, anybody's */
export function guardsIn(objects: KubeObject[]): Guards {
  const guards: Guards = {}
  for (const object of objects.filter(isOwned)) {
    const addon = componentOf(object)
    const guard = object.kind === 'EnvoyFilter' ? filterIn(object) : policyIn(object)
    if (addon !== undefined && guard !== undefined) guards[addon] = { ...guards[addon], ...guard }
  }
  return guards
}

function policyIn({ spec }: KubeObject): Guard | undefined {
  const { action, provider, rules } = spec as PolicySpec
  if (action === 'CUSTOM' && provider !== undefined) return { login: { kind: 'ext-authz', provider: provider.name } }
  const cidrs = rules?.[0]?.from?.[0]?.source?.notRemoteIpBlocks
  return cidrs === undefined ? undefined : { cidrs }
}

function filterIn({ spec }: KubeObject): Guard | undefined {
  const { configPatches = [] } = spec as FilterSpec
  const config = configPatches.find(({ applyTo }) => applyTo === 'HTTP_FILTER')?.patch?.value?.typed_config
  const login = config && loginIn(config)
  return login === undefined ? undefined : { login }
}

function loginIn({ users, providers }: FilterConfig): Login | undefined {
  if (users !== undefined) return { kind: 'basic', users: users.inline_string.split('\n').filter(Boolean) }
  const [provider] = Object.values(providers ?? {})
  if (provider === undefined) return undefined
  const { issuer, audiences = [], remote_jwks: remote, local_jwks: local } = provider
  const keys = remote === undefined ? { inline: local?.inline_string ?? '' } : { uri: remote.http_uri.uri }
  return { kind: 'jwt', issuer, audiences, keys }
}
