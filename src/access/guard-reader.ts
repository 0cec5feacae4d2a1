/** Pure: reads the present guards from our objects. Only the cluster knows who may enter, so nothing is stored elsewhere. */
import { isExposable } from '../addons/service-name.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { isNamedByExposing } from '../gateways/made-by-exposing.ts'
import { exposedBy, externalGuardName, guardName } from '../manifests/names.ts'
import { isListProbe } from '../manifests/probe-paths.ts'
import { listOf, mapOf, textOf, textsOf } from '../shapes.ts'
import { isCidr } from './cidr.ts'
import type { Guard, GuardHalf, Guards, JwtKeys, Login } from './guard.ts'
import { isUserLine } from './htpasswd.ts'
import { isKeySet, isKeysUri } from './jwks.ts'

/** An object with the name of a guard. */
export interface GuardPart {
  /** An add-on, or a Service: see addons/service-name.ts. */
  name: string
  half: GuardHalf
  object: KubeObject
  /** `undefined` when it cannot be read: somebody changed its content or its labels. Then nobody but the user knows the guard. */
  guard: Guard | undefined
}

/** A part that cannot be read. */
export type UnreadPart = Omit<GuardPart, 'guard'>

/** Longer names of providers and issuers are not read. */
const LONGEST = 1_000

/**
 * The name says whose guard it is: labels are hints.
 * @param objects AuthorizationPolicies and EnvoyFilters of a gateway's namespace
 */
export function partsIn(objects: readonly KubeObject[]): GuardPart[] {
  const parts = objects.flatMap((object) => partOf(object) ?? [])
  const hasAuthorizer = (addon: string) => parts.some((one) => one.name === addon && isAuthorizer(one.object))
  // Without a list the policy is only beside one for an external authorizer.
  return parts.map((part) =>
    part.half === 'login' || part.guard === undefined || part.guard.cidrs !== undefined || hasAuthorizer(part.name)
      ? part
      : { ...part, half: 'login', guard: undefined },
  )
}

/** Only what can be read. @param objects AuthorizationPolicies and EnvoyFilters of a gateway's namespace */
export function guardsIn(objects: readonly KubeObject[]): Guards {
  const guards: Guards = {}
  for (const { name: addon, guard = {} } of partsIn(objects))
    if (Object.keys(guard).length > 0) guards[addon] = { ...guards[addon], ...guard }
  return guards
}

/** @param objects AuthorizationPolicies and EnvoyFilters of a gateway's namespace */
export function unreadIn(objects: readonly KubeObject[]): UnreadPart[] {
  return partsIn(objects).filter(({ guard }) => guard === undefined)
}

/** All guards that an add-on's objects may be for: between two guards, objects of both are there. */
export function candidatesIn(objects: readonly KubeObject[], addon: string): Guard[] {
  const parts = partsIn(objects).flatMap((part) => (part.name === addon && part.guard ? [part.guard] : []))
  const lists = [{}, ...parts.filter(({ cidrs }) => cidrs !== undefined)]
  const logins = [{}, ...parts.filter(({ login }) => login !== undefined)]
  return lists.flatMap((list) => logins.map((login) => ({ ...list, ...login })))
}

function partOf(object: KubeObject): GuardPart | undefined {
  const { kind, metadata } = object
  const addon = exposedBy(metadata.name)
  if (addon === undefined || !isExposable(addon)) return undefined
  const names = kind === 'EnvoyFilter' ? [guardName(addon)] : [guardName(addon), externalGuardName(addon)]
  if (!names.includes(metadata.name)) return undefined
  const half = kind === 'EnvoyFilter' || isAuthorizer(object) ? 'login' : 'list'
  return { name: addon, half, object, guard: isNamedByExposing(object) ? guardIn(object) : undefined }
}

function isAuthorizer({ kind, metadata: { name } }: KubeObject): boolean {
  return kind === 'AuthorizationPolicy' && externalGuardName(exposedBy(name) ?? '') === name
}

function guardIn(object: KubeObject): Guard | undefined {
  if (object.kind === 'EnvoyFilter') return filterIn(object)
  return isAuthorizer(object) ? authorizerIn(object) : listIn(object)
}

function authorizerIn({ spec }: KubeObject): Guard | undefined {
  const { action, provider } = mapOf(spec)
  const name = nameIn(mapOf(provider).name)
  return action !== 'CUSTOM' || name === undefined ? undefined : { login: { kind: 'ext-authz', provider: name } }
}

/** @returns no list for the policy beside an external authorizer */
function listIn({ spec }: KubeObject): Guard | undefined {
  const { action, rules } = mapOf(spec)
  const all = listOf(rules).map(mapOf)
  const sources = all.flatMap(({ from }) => listOf(from)).map((one) => mapOf(mapOf(one).source))
  const blocks = sources.find(({ notRemoteIpBlocks }) => notRemoteIpBlocks !== undefined)?.notRemoteIpBlocks
  const cidrs = allTexts(blocks)
  if (action !== 'DENY') return undefined
  if (blocks === undefined) return all.length > 0 && all.every(isProbeRule) ? {} : undefined
  return cidrs !== undefined && cidrs.length > 0 && cidrs.every(isCidr) ? { cidrs } : undefined
}

/** @param policies as they were written. @returns the path of the one that was written last for this add-on */
export function listPathIn(policies: readonly KubeObject[]): string | undefined {
  const rules = policies.flatMap(({ spec }) => listOf(mapOf(spec).rules)).map(mapOf)
  return rules.flatMap(pathsOf).find(isListProbe)
}

/** The server names of the connections for which a policy is. */
export function serverNamesIn({ spec }: KubeObject): string[] {
  const conditions = listOf(mapOf(spec).rules).flatMap((rule) => listOf(mapOf(rule).when).map(mapOf))
  return [...new Set(conditions.filter(({ key }) => key === 'connection.sni').flatMap(({ values }) => textsOf(values)))]
}

function isProbeRule(rule: Record<string, unknown>): boolean {
  const paths = pathsOf(rule)
  return rule.from === undefined && paths.length > 0 && paths.every(isListProbe)
}

function pathsOf({ to }: Record<string, unknown>): string[] {
  return listOf(to).flatMap((one) => textsOf(mapOf(mapOf(one).operation).paths))
}

function filterIn({ spec }: KubeObject): Guard | undefined {
  const patches = listOf(mapOf(spec).configPatches).map(mapOf)
  const value = mapOf(patches.find(({ applyTo }) => applyTo === 'HTTP_FILTER')?.patch).value
  const login = loginIn(mapOf(mapOf(value).typed_config))
  return login === undefined ? undefined : { login }
}

function loginIn({ users, providers }: Record<string, unknown>): Login | undefined {
  const lines = textOf(mapOf(users).inline_string)?.split('\n').filter(Boolean)
  if (lines !== undefined)
    return lines.length > 0 && lines.every(isUserLine) ? { kind: 'basic', users: lines } : undefined
  const [provider = {}] = Object.values(mapOf(providers)).map(mapOf)
  const issuer = nameIn(provider.issuer)
  // A filter for any audience has no list: a list that cannot be read is not an empty one.
  const audiences = provider.audiences === undefined ? [] : allTexts(provider.audiences)
  const keys = keysIn(provider)
  if (issuer === undefined || audiences === undefined || keys === undefined) return undefined
  return { kind: 'jwt', issuer, audiences, keys }
}

function keysIn({ remote_jwks: remote, local_jwks: local }: Record<string, unknown>): JwtKeys | undefined {
  const inline = textOf(mapOf(local).inline_string)
  if (remote === undefined) return inline !== undefined && isKeySet(inline) ? { inline } : undefined
  const uri = nameIn(mapOf(mapOf(remote).http_uri).uri)
  return uri !== undefined && isKeysUri(uri) ? { uri } : undefined
}

function nameIn(value: unknown): string | undefined {
  const text = textOf(value)
  return text === undefined || text === '' || text.length > LONGEST ? undefined : text
}

/** @returns undefined for everything else than a list of texts */
function allTexts(value: unknown): string[] | undefined {
  const texts = textsOf(value)
  return Array.isArray(value) && texts.length === value.length ? texts : undefined
}
