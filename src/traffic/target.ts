/** Finds the exposure to which requests are sent, at an ingress gateway of the context and nowhere else. Changes nothing. */
import { argumentsFor, nameOfService, titleOf } from '../addons/service-name.ts'
import type { ObjectName } from '../cluster/cluster.ts'
import type { Secret, Service } from '../cluster/objects.ts'
import { readable, readServices, requireIstioVersion } from '../cluster/reading.ts'
import { gateways, SECRETS, virtualServices } from '../cluster/resources.ts'
import { usageError } from '../errors.ts'
import { describeExposed, type ExposedGateway } from '../exposing/exposed-gateways.ts'
import { trustOf } from '../exposing/probe-exposed.ts'
import type { Exposure } from '../exposing/spec.ts'
import type { Finding } from '../findings.ts'
import { gatewayName } from '../gateways/find.ts'
import { urlOf } from '../gateways/names.ts'
import { readOwnObjects } from '../gateways/own-objects.ts'
import { findIngressAddress, requireGateways } from '../gateways/survey.ts'
import { secretText } from '../manifests/tls-secret.ts'
import type { SendTarget, SendTrust } from '../probing/sender.ts'
import { sh } from '../shell.ts'
import { isPlainPath } from '../text.ts'
import type { Dependencies } from '../world.ts'
import { requireProven } from './address.ts'
import {
  type Destination,
  destinationIn,
  destinationOf,
  hostIn,
  routesTo,
  type Served,
  servedHosts,
  serving,
} from './foreign.ts'
import type { TrafficRequest } from './request.ts'
import { closed, notExposed, unreachable } from './target-errors.ts'

export type Needs = Pick<Dependencies, 'cluster' | 'terminal' | 'authorities'>

/** Where requests go. */
export interface Target {
  /** `grafana`, `svc/productpage`, or a host of others. */
  name: string
  url: string
  /** `NAMESPACE/SERVICE`. */
  gateway: string
  path: string
  /** Left out where it is not known. */
  destination?: Destination
  /** Whether a guard of ours decides who may enter. */
  guarded: boolean
  to: Pick<SendTarget, 'host' | 'address' | 'port' | 'secure' | 'trust'>
}

export interface FoundTarget {
  target: Target
  /** Of Kiali, if it is exposed. */
  kiali?: string
  findings: readonly Finding[]
}

/** Something that requests could be sent to. */
interface Candidate {
  /** For a question. */
  title: string
  /** The argument of the command that chooses it. */
  words: string[]
  open(): Promise<Target>
}

/**
 * @throws UserError TRAFFIC_NOT_EXPOSED, TRAFFIC_HOST_FOREIGN, TRAFFIC_TARGET_UNCLEAR (exit 2), TRAFFIC_ADDRESS_UNPROVEN, TRAFFIC_CLOSED,
 * ISTIO_NOT_FOUND, GATEWAY_NOT_FOUND
 */
export async function findTarget(request: TrafficRequest, world: Needs): Promise<FoundTarget> {
  const { cluster } = world
  const [version, services] = await Promise.all([requireIstioVersion(cluster), readServices(cluster)])
  const own = await readOwnObjects(version, undefined, cluster)
  const described = await describeExposed(own, { version, services, named: request.ingressAddress }, cluster)
  const places = described.filter(({ gateway }) => isChosen(gateway && gatewayName(gateway), request.gateway))
  const all = places.flatMap((place) => place.exposures.map((exposure, at) => ({ place, exposure, at })))
  const ours = all
    .filter((one) => isMeant(one.exposure, request, cluster.namespace))
    .map((one) => ownCandidate(one, world))
  const found = ours.length > 0 ? ours : await foreignCandidates(request, { version, services }, world)
  const chosen = await choose(found, request, world)
  const kiali = all.map(({ exposure }) => exposure).find(({ name, port }) => name === 'kiali' && port !== undefined)
  return {
    target: await chosen.open(),
    ...(kiali === undefined ? {} : { kiali: pageOf(kiali).url }),
    findings: own.findings,
  }
}

function isChosen(name: string | undefined, wanted: Required<ObjectName> | undefined): boolean {
  return wanted === undefined || name === `${wanted.namespace}/${wanted.name}`
}

function isMeant({ name, namespace, host, port, secure }: Exposure, request: TrafficRequest, usual: string): boolean {
  const { target } = request
  switch (target.by) {
    case 'any':
      return request.namespace === undefined || namespace === request.namespace
    case 'addon':
      return name === target.name && (request.namespace === undefined || namespace === request.namespace)
    case 'service':
      return name === nameOfService({ name: target.service.name, namespace: request.namespace ?? usual })
    case 'url': {
      const wanted = Number(target.url.port) || (target.url.protocol === 'https:' ? 443 : 80)
      return hostIn(target.url) === host && wanted === port && (target.url.protocol === 'https:') === secure
    }
  }
}

interface OwnExposure {
  place: ExposedGateway
  exposure: Exposure
  at: number
}

function ownCandidate({ place, exposure, at }: OwnExposure, world: Needs): Candidate {
  const { name } = exposure
  return {
    title: `${titleOf(name)}  ${pageOf(exposure).url}`,
    words: argumentsFor(name),
    open: () => openOwn({ place, exposure, at }, world),
  }
}

async function openOwn({ place, exposure, at }: OwnExposure, { cluster, authorities }: Needs): Promise<Target> {
  const { name, host, secure, service, namespace } = exposure
  const { gateway, address, secretName, guards = {} } = place
  if (place.routes[at]?.closedFor !== undefined) throw closed(name)
  const port = exposure.port
  if (gateway === undefined || address === undefined || port === undefined) throw unreachable(name, place)
  await requireProven(gateway, address, cluster)
  const secret =
    secure && secretName !== undefined
      ? await readable(cluster.get<Secret>(SECRETS, { name: secretName, namespace: place.namespace }))
      : undefined
  const trusted = secure ? await trustOf(place, secret, { authorities }) : undefined
  const known = trusted?.authorityCertificate
  const trust: SendTrust = known === undefined ? PUBLIC : { certificates: [known], publicToo: false }
  const { path, url } = pageOf(exposure)
  const destination = destinationIn(service, namespace)
  return {
    name: titleOf(name),
    url,
    gateway: gatewayName(gateway),
    path,
    ...(destination === undefined ? {} : { destination }),
    guarded: guards[name] !== undefined,
    to: { host, address: address.address, port, secure, trust },
  }
}

/** A VirtualService has the path: only a plain one is used. */
function pageOf({ path: home, ...exposure }: Exposure): { path: string; url: string } {
  const path = isPlainPath(home) && home !== '' ? home : '/'
  return { path, url: urlOf({ ...exposure, path }) }
}

const PUBLIC: SendTrust = { certificates: [], publicToo: true }

interface Read {
  version: string
  services: Service[]
}

/** What Gateways and VirtualServices of others expose: only what the user names. */
async function foreignCandidates(
  request: TrafficRequest,
  { version, services }: Read,
  world: Needs,
): Promise<Candidate[]> {
  const { target } = request
  if (target.by !== 'url' && target.by !== 'service') return []
  const { cluster } = world
  const named = request.ingressAddress
  const [found, objects, routes] = await Promise.all([
    requireGateways(services, cluster),
    cluster.list(gateways(version)),
    readable(cluster.list(virtualServices(version))),
  ])
  const chosen = found.filter((gateway) => isChosen(gatewayName(gateway), request.gateway))
  const reached = await Promise.all(
    chosen.map(async (gateway) => ({ gateway, address: (await findIngressAddress(gateway, named, cluster)).address })),
  )
  const served = servedHosts(
    reached.flatMap(({ gateway, address }) => (address === undefined ? [] : [{ gateway, address }])),
    objects,
  )
  const candidate = (one: Served, host: string, path: string, destination: Destination | undefined): Candidate => {
    const url = urlOf({ host, port: one.port, path, secure: one.secure })
    const at = gatewayName(one.gateway)
    return {
      title: `${url} at gateway ${at}`,
      words: [url, '--gateway', at],
      open: () => openForeign({ ...one, host, path, url, destination }, world),
    }
  }
  if (target.by === 'url') {
    const host = hostIn(target.url)
    const matching = serving(target.url, served)
    return onePerGateway(matching, ({ gateway }) => gatewayName(gateway)).map((one) =>
      candidate(one, host, '/', destinationOf(one, host, routes ?? [])),
    )
  }
  const destination = { service: target.service.name, namespace: request.namespace ?? cluster.namespace }
  const leading = routesTo(destination, served, routes ?? [])
  const place = ({ served: { gateway, port }, host }: (typeof leading)[0]) => `${gatewayName(gateway)} ${host} ${port}`
  return onePerGateway(leading, place).map((one) => candidate(one.served, one.host, one.path, destination))
}

/** Several servers of one gateway may have a host. */
function onePerGateway<T>(all: readonly T[], key: (one: T) => string): T[] {
  return [...new Map(all.toReversed().map((one) => [key(one), one])).values()].toReversed()
}

interface ForeignTarget extends Served {
  host: string
  path: string
  url: string
  destination: Destination | undefined
}

async function openForeign(
  { gateway, address, secure, port, secret: name, host, path, url, destination }: ForeignTarget,
  { cluster }: Needs,
): Promise<Target> {
  await requireProven(gateway, address, cluster)
  // Istio reads the Secret in the gateway's namespace, too, whatever the namespace of the Gateway is.
  const { namespace } = gateway
  const secret =
    secure && name !== undefined && /^[a-z0-9][a-z0-9.-]{0,252}$/.test(name)
      ? await readable(cluster.get<Secret>(SECRETS, { name, namespace }))
      : undefined
  const certificates = [secretText(secret, 'ca.crt'), secretText(secret, 'tls.crt')].filter((pem) => pem !== '')
  return {
    name: destination === undefined ? host : `svc/${destination.service}`,
    url,
    gateway: gatewayName(gateway),
    path,
    ...(destination === undefined ? {} : { destination }),
    guarded: false,
    to: { host, address: address.address, port, secure, trust: { certificates, publicToo: true } },
  }
}

async function choose(all: Candidate[], request: TrafficRequest, { terminal, cluster }: Needs): Promise<Candidate> {
  const found = all.toSorted((one, other) => one.title.localeCompare(other.title))
  const [first, second] = found
  if (first === undefined) throw notExposed(request, cluster.namespace)
  if (second === undefined) return first
  if (terminal.interactive)
    return terminal.select(
      'Send requests to which exposure?',
      found.map((value) => ({ name: value.title, value })),
    )
  throw usageError(
    'TRAFFIC_TARGET_UNCLEAR',
    `${found.length} exposures fit, and none was chosen`,
    found.slice(0, 10).map(({ words }) => sh`kubectl telemetry traffic ${words}`),
  )
}
