/** Reads the facts of the mesh that an exposure needs. Changes nothing. */
import { isDeepStrictEqual } from 'node:util'
import { readGuards } from '../../access/guard-plan.ts'
import type { FoundAddon } from '../../addons/find.ts'
import { serviceNamed } from '../../addons/service-name.ts'
import { serviceNotReady, surveyServices } from '../../addons/service-survey.ts'
import { type SurveyedAddon, surveyAddons } from '../../addons/survey.ts'
import type { Cluster, ClusterIdentity, KubeObject } from '../../cluster/cluster.ts'
import { isReady, type Service } from '../../cluster/objects.ts'
import { identify, readable, readServices, requireIstioVersionByGateways } from '../../cluster/reading.ts'
import { gateways, SECRETS, virtualServices } from '../../cluster/resources.ts'
import type { Finding } from '../../findings.ts'
import type { IngressAddress } from '../../gateways/address.ts'
import { type ExposedRoute, exposedRoutes } from '../../gateways/exposed-routes.ts'
import { entriesServed, entryOf, layoutInUse } from '../../gateways/layout.ts'
import { ownGateway } from '../../gateways/made-by-exposing.ts'
import { othersUnread, readOtherPods, requireOwnSelector } from '../../gateways/own-pods.ts'
import { requireGateway, requireIngressAddress, requireSecretsReadable } from '../../gateways/survey.ts'
import { requireSpokenTo } from '../../gateways/upstream/https-addons.ts'
import { GATEWAY_NAME, TLS_SECRET_NAME } from '../../manifests/names.ts'
import type { Dependencies } from '../../world.ts'
import { lookAhead } from '../domain.ts'
import { type ExposeIntent, mayNeedAuthority } from '../request.ts'
import { type ExposureSpec, hostsOf, namesOf } from '../spec.ts'

/** Facts of the mesh that an exposure needs. */
export interface MeshFacts
  extends Pick<
    ExposureSpec,
    'istioVersion' | 'gateway' | 'served' | 'layoutInUse' | 'reselects' | 'addons' | 'exposed' | 'kiali' | 'paths'
  > {
  services: Service[]
  /** From the Service, a node or `--ingress-ip`. */
  address: IngressAddress
  /** All Gateways, and the VirtualServices and the TLS Secret in the namespace of the gateway. */
  present: KubeObject[]
  /** Guards, and objects with the name of one. `undefined` without permission to read them. */
  guards: KubeObject[] | undefined
  identity: ClusterIdentity | undefined
  warnings: Finding[]
}

export async function readMesh(intent: ExposeIntent, world: Dependencies): Promise<MeshFacts> {
  const { cluster } = world
  const [istioVersion, services] = await Promise.all([requireIstioVersionByGateways(cluster), readServices(cluster)])
  const { addons: surveyed, warnings } = await surveyRequested(intent, services, world)
  const kiali = intent.link ? await requireKiali(surveyed, services, intent.namespace, world) : undefined
  const found = await requireGateway(services, intent.gateway, world)
  const place = { gateway: found, istioVersion, cluster }
  const { addons, warnings: unspoken } = await requireSpokenTo(
    surveyed,
    intent.addons.named || intent.services.length > 0,
    place,
  )
  const [address, present, guards, others, identity] = await Promise.all([
    requireIngressAddress(found, intent.ingressAddress, world).then((one) => lookUpHosts(one, addons, intent, world)),
    readPresent(cluster, istioVersion, found.namespace),
    readGuards(cluster, istioVersion, found.namespace),
    readOtherPods(found, cluster),
    mayNeedAuthority(intent) ? identify(cluster) : undefined,
    intent.insecure ? undefined : requireSecretsReadable(found, cluster),
  ])
  const ours = ownGateway(present, found.namespace)
  const selector = (ours?.spec as { selector?: Record<string, string> } | undefined)?.selector
  const gateway = await requireOwnSelector(found, others ?? [], selector, cluster)
  const exposed = exposedRoutes(present.filter(({ kind }) => kind === 'VirtualService'))
  return {
    istioVersion,
    services,
    gateway,
    address,
    addons,
    paths: chosenPaths(addons, exposed, intent.paths),
    exposed,
    kiali,
    present,
    guards,
    identity,
    warnings: [...warnings, ...unspoken, ...(others === undefined ? [othersUnread(found)] : [])],
    served: entriesServed(ours).map(({ host }) => host),
    layoutInUse: layoutInUse(ours),
    reselects: ours !== undefined && !isDeepStrictEqual(selector, gateway.selector),
  }
}

/** The requested add-ons, then the requested Services. */
async function surveyRequested(
  { addons, services: chosen, namespace }: ExposeIntent,
  services: Service[],
  world: Dependencies,
): Promise<{ addons: SurveyedAddon[]; warnings: Finding[] }> {
  const { cluster } = world
  const [found, more] = await Promise.all([
    addons.names.length === 0 ? { addons: [], warnings: [] } : surveyAddons(addons, services, namespace, world),
    surveyServices(chosen, services, namespace ?? cluster.namespace, cluster),
  ])
  return { addons: [...found.addons, ...more], warnings: [...found.warnings, ...more.flatMap(notReady)] }
}

function notReady({ found: { service }, pods }: SurveyedAddon): Finding[] {
  return pods === undefined || pods.some(isReady) ? [] : [serviceNotReady(service, 'warns')]
}

/** By Service: the paths that were asked for, else the present ones. `/` is for all. */
export function chosenPaths(
  addons: readonly SurveyedAddon[],
  exposed: readonly ExposedRoute[],
  asked: readonly string[],
): ExposureSpec['paths'] {
  const paths = addons.flatMap(({ found: { addon } }) => {
    if (serviceNamed(addon.name) === undefined) return []
    const before = exposed.find((route) => route.name === addon.name)?.backend.paths ?? []
    const chosen = asked.length > 0 ? asked : before
    return chosen.length === 0 || chosen.includes('/') ? [] : [[addon.name, chosen] as const]
  })
  return Object.fromEntries(paths)
}

/** Starts DNS lookups of the probable hosts while other reads are in progress. */
function lookUpHosts(
  address: IngressAddress,
  addons: readonly SurveyedAddon[],
  intent: ExposeIntent,
  { prober }: Dependencies,
): IngressAddress {
  if (intent.domain !== undefined) return address
  const probable = { name: intent.layout ?? 'hosts', secure: !intent.insecure }
  const isAtHost = (name: string) => probable.name === 'hosts' || serviceNamed(name) === undefined
  const names = namesOf(addons).filter(isAtHost)
  const hostsIn = (domain: string) => hostsOf(names.map((name) => entryOf(name, { ...probable, domain })))
  return lookAhead(address, hostsIn, prober)
}

/** Finds Kiali for --link. Kiali itself need not be exposed. */
async function requireKiali(
  addons: readonly SurveyedAddon[],
  services: Service[],
  namespace: string | undefined,
  world: Dependencies,
): Promise<FoundAddon | undefined> {
  const requested = addons.find(({ found }) => found.addon.name === 'kiali')
  if (requested !== undefined) return requested.found
  const survey = await surveyAddons({ names: ['kiali'], named: true }, services, namespace, world)
  return survey.addons[0]?.found
}

/** Existing objects: those of kubectl telemetry, and others whose name or host could conflict with a plan. */
async function readPresent(cluster: Cluster, istioVersion: string, namespace: string): Promise<KubeObject[]> {
  const [secret, found, routes] = await Promise.all([
    cluster.get(SECRETS, { name: TLS_SECRET_NAME, namespace }),
    readGateways(cluster, istioVersion, namespace),
    cluster.list(virtualServices(istioVersion), { namespace }),
  ])
  return [...(secret === undefined ? [] : [secret]), ...found, ...routes]
}

/** All Gateways, because any of them may serve the same host; without permission to list them, only that of kubectl telemetry. */
async function readGateways(cluster: Cluster, istioVersion: string, namespace: string): Promise<KubeObject[]> {
  const all = await readable(cluster.list(gateways(istioVersion)))
  if (all !== undefined) return all
  const own = await cluster.get(gateways(istioVersion), { name: GATEWAY_NAME, namespace })
  return own === undefined ? [] : [own]
}
