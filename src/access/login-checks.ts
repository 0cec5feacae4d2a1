/** Whether the login that is asked for can work here: found out before anything is written, since Envoy would just refuse everybody. */
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import type { ConfigMap, Service } from '../cluster/objects.ts'
import { isOwned } from '../cluster/ownership.ts'
import { readable } from '../cluster/reading.ts'
import { authorizationPolicies, CONFIG_MAPS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { type IngressGateway, portNumbered } from '../gateways/find.ts'
import { authorizers, meshConfigMap } from '../gateways/mesh.ts'
import { serviceHost } from '../manifests/guard-filters.ts'
import type { Login } from './guard.ts'
import type { GuardPlan } from './guard-plan.ts'

interface Surroundings {
  istioVersion: string
  gateway: IngressGateway
  services: Service[]
  cluster: Cluster
}

/** @throws UserError JWKS_SERVICE_NOT_FOUND, PROVIDER_UNKNOWN, PROVIDER_CONFLICT */
export async function requireLoginsPossible(
  { guards, objects }: GuardPlan,
  named: string[],
  around: Surroundings,
): Promise<void> {
  const logins = named.map((addon) => guards[addon]?.login).filter((login) => login !== undefined)
  for (const login of logins) requireKeysService(login, around.services)
  const asked = Object.values(guards).flatMap(({ login }) => (login?.kind === 'ext-authz' ? [login.provider] : []))
  const [provider, other] = new Set(asked)
  if (provider === undefined) return
  if (other !== undefined) throw conflict(provider, other, 'another add-on')
  const mesh = meshConfigMap(around.gateway)
  const configMap = await readable(around.cluster.get<ConfigMap>(CONFIG_MAPS, mesh))
  // One who may not read it is believed: Istio refuses every request for a provider that is not there.
  if (configMap !== undefined) requireProvider(provider, authorizers(configMap), mesh)
  const root = mesh.namespace === around.gateway.namespace ? [] : await rootPolicies(mesh.namespace, around)
  requireNoOther(provider, [...objects, ...root], around.gateway)
}

function requireKeysService(login: Login, services: Service[]): void {
  if (login.kind !== 'jwt' || !('uri' in login.keys)) return
  const { hostname, port, protocol } = new URL(login.keys.uri)
  const host = serviceHost(hostname)
  if (host === undefined) return
  const [name, namespace] = host.split('.')
  const number = Number(port || { 'https:': 443, 'http:': 80 }[protocol])
  const service = services.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace)
  if (service !== undefined && portNumbered(service, number) !== undefined) return
  const why = service === undefined ? 'there is no such Service' : `the Service has no port ${number}`
  throw new UserError('JWKS_SERVICE_NOT_FOUND', `--jwks-uri ${login.keys.uri}: ${why}`, {
    suggestions: [`kubectl -n ${namespace} get services`],
  })
}

function requireProvider(
  provider: string,
  known: string[],
  { name, namespace }: { name: string; namespace: string },
): void {
  if (known.includes(provider)) return
  const there = known.length === 0 ? 'it has none' : `known: ${known.join(', ')}`
  throw new UserError('PROVIDER_UNKNOWN', `the mesh configuration has no external authorizer "${provider}"; ${there}`, {
    suggestions: [
      ...known.map((one) => `--auth ext-authz=${one}`),
      `kubectl -n ${namespace} edit configmap ${name}   # extensionProviders, with envoyExtAuthzHttp or envoyExtAuthzGrpc`,
    ],
  })
}

/** Policies in the root namespace are for gateways everywhere. */
async function rootPolicies(namespace: string, { cluster, istioVersion }: Surroundings): Promise<KubeObject[]> {
  return (await readable(cluster.list(authorizationPolicies(istioVersion), { namespace }))) ?? []
}

interface PolicySpec {
  action?: string
  provider?: { name: string }
  selector?: { matchLabels?: Record<string, string> }
}

/** By default Istio takes one external authorizer for a workload; with two it refuses whatever either is asked about, others' pages too. */
function requireNoOther(provider: string, policies: KubeObject[], { pods }: IngressGateway): void {
  for (const policy of policies.filter((one) => !isOwned(one))) {
    const { action, provider: theirs, selector } = (policy.spec ?? {}) as PolicySpec
    const labels = Object.entries(selector?.matchLabels ?? {})
    const isHere = pods.some(({ metadata }) => labels.every(([name, value]) => metadata.labels?.[name] === value))
    if (action !== 'CUSTOM' || theirs === undefined || theirs.name === provider || !isHere) continue
    throw conflict(provider, theirs.name, `AuthorizationPolicy ${policy.metadata.namespace}/${policy.metadata.name}`)
  }
}

function conflict(provider: string, other: string, who: string): UserError {
  const message = `the gateway asks ${other} for ${who} already; with ${provider} beside it Istio would refuse the requests of both`
  return new UserError('PROVIDER_CONFLICT', message, { suggestions: [`--auth ext-authz=${other}`, '--auth basic'] })
}
