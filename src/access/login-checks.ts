/** Checks before any write whether the requested login can work here: Envoy would otherwise refuse all requests. */

import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { authorizationPolicies } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { type IngressGateway, portNumbered } from '../gateways/find.ts'
import { isNamedByExposing } from '../gateways/made-by-exposing.ts'
import { type Authorizer, authorizers, clusterDomain, meshConfigMap } from '../gateways/mesh.ts'
import { readMeshConfig } from '../gateways/mesh-config.ts'
import { serviceHost } from '../manifests/guard-filters.ts'
import { sh } from '../shell.ts'
import { isReadFor } from '../workloads/control-plane.ts'
import type { Guards, Login } from './guard.ts'
import type { GuardPlan } from './guard-plan.ts'

interface LoginFacts {
  istioVersion: string
  gateway: IngressGateway
  services: Service[]
  cluster: Cluster
}

/**
 * @returns the plan with the external authorizers in use
 * @throws UserError JWKS_SERVICE_NOT_FOUND, PROVIDER_UNKNOWN, PROVIDER_CONFLICT
 */
export async function requireLoginsPossible(plan: GuardPlan, named: string[], facts: LoginFacts): Promise<GuardPlan> {
  const { guards, objects } = plan
  const logins = named.map((addon) => guards[addon]?.login).filter((login) => login !== undefined)
  for (const login of logins) requireKeysService(login, facts)
  const [provider, other] = providersOf(guards)
  if (provider === undefined) return plan
  if (other !== undefined) throw conflict(provider, other, 'another add-on')
  const mesh = meshConfigMap(facts.gateway)
  const configMap = await readMeshConfig(facts.gateway, facts.cluster)
  // Without the permission to read it the check is skipped: Istio refuses all requests for a provider that does not exist.
  const known = configMap === undefined ? [] : authorizers(configMap)
  if (configMap !== undefined) requireProvider(provider, namesOf(known), mesh)
  const root = mesh.namespace === facts.gateway.namespace ? [] : await rootPolicies(mesh.namespace, facts)
  requireNoOther(provider, [...objects, ...root], facts.gateway)
  const used = known.filter(({ name }) => name === provider)
  return { ...plan, failOpen: namesOf(used.filter(({ failOpen }) => failOpen)), authorizers: used }
}

/** External authorizers of the guards at a gateway that are skipped while they do not answer, as far as that may be read. */
export async function authorizersFailingOpen(
  guards: Guards,
  gateway: IngressGateway,
  cluster: Cluster,
): Promise<string[]> {
  const used = providersOf(guards)
  if (used.size === 0) return []
  const configMap = await readMeshConfig(gateway, cluster)
  return namesOf(authorizers(configMap).filter(({ name, failOpen }) => failOpen && used.has(name)))
}

function providersOf(guards: Guards): Set<string> {
  return new Set(Object.values(guards).flatMap(({ login }) => (login?.kind === 'ext-authz' ? [login.provider] : [])))
}

function namesOf(known: Authorizer[]): string[] {
  return known.map(({ name }) => name)
}

function requireKeysService(login: Login, { services, gateway }: LoginFacts): void {
  if (login.kind !== 'jwt' || !('uri' in login.keys)) return
  const { hostname, port, protocol } = new URL(login.keys.uri)
  const host = serviceHost(hostname, clusterDomain(gateway))
  if (host === undefined) return
  const [name, namespace] = host.split('.')
  const number = Number(port || { 'https:': 443, 'http:': 80 }[protocol])
  const service = services.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace)
  if (service !== undefined && portNumbered(service, number) !== undefined) return
  const why = service === undefined ? 'the Service does not exist' : `the Service has no port ${number}`
  throw new UserError('JWKS_SERVICE_NOT_FOUND', `--jwks-uri ${login.keys.uri}: ${why}`, {
    suggestions: [sh`kubectl -n ${namespace} get services`],
  })
}

function requireProvider(
  provider: string,
  known: string[],
  { name, namespace }: { name: string; namespace: string },
): void {
  if (known.includes(provider)) return
  const list = known.length === 0 ? 'it has none' : `known: ${known.join(', ')}`
  throw new UserError('PROVIDER_UNKNOWN', `the mesh configuration has no external authorizer "${provider}"; ${list}`, {
    suggestions: [
      ...known.map((one) => sh`--auth ${`ext-authz=${one}`}`),
      sh`kubectl -n ${namespace} edit configmap ${name}   # extensionProviders, with envoyExtAuthzHttp or envoyExtAuthzGrpc`,
    ],
  })
}

/** Policies in the root namespace apply to gateways in all namespaces. */
async function rootPolicies(namespace: string, { cluster, istioVersion }: LoginFacts): Promise<KubeObject[]> {
  return (await readable(cluster.list(authorizationPolicies(istioVersion), { namespace }))) ?? []
}

interface PolicySpec {
  action?: string
  provider?: { name: string }
  selector?: { matchLabels?: Record<string, string> }
}

/** Istio allows one external authorizer for a workload; with two it denies all requests for which one of them is asked. */
function requireNoOther(provider: string, policies: KubeObject[], { pods }: IngressGateway): void {
  for (const policy of policies.filter((one) => !isNamedByExposing(one) && isReadFor(one, pods))) {
    const { action, provider: existing, selector } = (policy.spec ?? {}) as PolicySpec
    const labels = Object.entries(selector?.matchLabels ?? {})
    const isHere = pods.some(({ metadata }) => labels.every(([name, value]) => metadata.labels?.[name] === value))
    if (action !== 'CUSTOM' || existing === undefined || existing.name === provider || !isHere) continue
    throw conflict(provider, existing.name, `AuthorizationPolicy ${policy.metadata.namespace}/${policy.metadata.name}`)
  }
}

function conflict(provider: string, other: string, who: string): UserError {
  const message = `the gateway already uses the external authorizer ${other} (for ${who}); Istio allows only one per workload and would deny all requests with a second, ${provider}`
  return new UserError('PROVIDER_CONFLICT', message, {
    suggestions: [sh`--auth ${`ext-authz=${other}`}`, '--auth basic'],
  })
}
