/** Ports of the gateway that only one exposure uses: which were asked for, which there are, and where they lead. Pure. */
import { classicPortOf } from '../../addons/catalog.ts'
import { OWN_PORT, requireUnambiguous } from '../../addons/port-choice.ts'
import { argumentsFor, titleOf } from '../../addons/service-name.ts'
import type { KubeObject } from '../../cluster/cluster.ts'
import { UserError, usageError } from '../../errors.ts'
import { portConflict } from '../../gateways/conflicts.ts'
import type { ExposedRoute } from '../../gateways/exposed-routes.ts'
import { gatewayName, type IngressGateway, portNumbered, targetsNumbered } from '../../gateways/find.ts'
import { type Entry, type Layout, type LayoutName, mayBeOwn, type OwnPort, schemePort } from '../../gateways/layout.ts'
import { addedPorts } from '../../gateways/service-ports.ts'
import { sh } from '../../shell.ts'
import { shown } from '../../text.ts'
import type { ExposeIntent } from '../request.ts'

/** What decides about ports of their own. */
export interface PortFacts {
  /** The requested add-ons and Services. */
  names: readonly string[]
  exposed: readonly ExposedRoute[]
  inUse: Omit<Layout, 'domain'> | undefined
  gateway: IngressGateway
  /** All Gateways that could be read, and other objects. */
  present: readonly KubeObject[]
}

type Intent = Pick<ExposeIntent, 'ports' | 'anyHost' | 'insecure' | 'layout' | 'tlsSecret'>

/**
 * By name; exposures at a port of the layout are left out.
 * @throws UserError OWN_PORT_INVALID, OWN_PORT_NEEDED, ANY_HOST_UNUSABLE (exit 2), GATEWAY_PORT_TAKEN
 */
export function chooseOwnPorts(intent: Intent, facts: PortFacts): Record<string, OwnPort> {
  const { names, exposed, inUse } = facts
  const layout = intent.layout ?? inUse?.name ?? 'hosts'
  requireUnambiguous(intent.ports, names.map(titleOf), OWN_PORT)
  const others = exposed.filter(({ name }) => !names.includes(name))
  const unplaced = others.find(
    (one) => layout === 'ports' && one.own === undefined && classicPortOf(one.name) === undefined,
  )
  if (unplaced !== undefined) throw ownPortNeeded(unplaced.name, true)
  const kept = others.flatMap(({ name: addon, own }) =>
    own === undefined ? [] : [[addon, { ...own, ...targetAgain(own.port, facts) }] as const],
  )
  const chosen = names.flatMap((name) => {
    const own = ownPortFor(name, intent, { ...facts, layout })
    return own === undefined ? [] : [[name, own] as const]
  })
  if (intent.anyHost && chosen.length < names.length) throw anyHostAlone()
  return Object.fromEntries([...kept, ...chosen])
}

function ownPortFor(name: string, intent: Intent, facts: PortFacts & { layout: LayoutName }): OwnPort | undefined {
  const { ports, anyHost, insecure, tlsSecret } = intent
  const before = facts.exposed.find(({ name: addon }) => addon === name)?.own
  const asked = ports.find(({ addon }) => addon === undefined || addon === titleOf(name))?.port
  const port = asked ?? before?.port
  const ofLayout = layoutPort(name, intent, facts)
  if (ofLayout === undefined && port === undefined) throw ownPortNeeded(name)
  if (port === undefined || port === ofLayout) return undefined
  if (!mayBeOwn(port)) throw sharedPort(port, facts.layout, insecure)
  const own = { port, secure: !insecure, anyHost: anyHost ?? before?.anyHost ?? false }
  if (own.anyHost && own.secure && tlsSecret === undefined) throw anyHostNeedsHttp()
  return { ...own, target: targetFor(port, facts) }
}

/** The port that the layout gives. @returns `undefined` where it gives none */
function layoutPort(
  name: string,
  { insecure }: Intent,
  { layout, inUse }: Pick<PortFacts, 'inUse'> & { layout: LayoutName },
): number | undefined {
  if (layout === 'ports') return classicPortOf(name)
  const secure = !insecure
  return inUse?.secure === secure && inUse.port !== undefined ? inUse.port : schemePort(secure)
}

/** Istio's proxy listens there itself: https://istio.io/latest/docs/ops/deployment/application-requirements/#ports-used-by-istio */
const OF_PROXY = [15000, 15001, 15002, 15004, 15006, 15008, 15009, 15010, 15020, 15021, 15053, 15090]
/** Only root may listen below, and the pods of a gateway are not root: istiod leaves such a port out without a word. */
const FIRST_FREE = 1024
const DISTANCE = 10_000

/** The port of the pods to which the Service leads, or will lead. */
function targetFor(number: number, { gateway, present }: PortFacts): number {
  const { service, pods } = gateway
  const [there] = targetsNumbered(service, pods, number)
  if (there !== undefined) return requireOnlyOne(number, there, { gateway, present })
  const target = freeTarget(number, gateway)
  if (target === undefined) throw portTaken(`no port of its pods is free for port ${number}`, gateway)
  requireNoServer(number, target, { gateway, present })
  return target
}

/** A port on which the pods may listen and nothing does. */
function freeTarget(number: number, gateway: IngressGateway): number | undefined {
  const { service, pods } = gateway
  const others = (service.spec.ports ?? []).flatMap(({ port }) => targetsNumbered(service, pods, port))
  const taken = new Set([...OF_PROXY, ...others, ...containerPorts(gateway)])
  const candidates = Array.from({ length: 50 }, (_, index) => (index === 0 ? number : number + DISTANCE + index - 1))
  const fits = (one: number) => one >= FIRST_FREE && one <= 65_535 && !taken.has(one)
  return candidates.map((one) => (one > 65_535 ? one - 2 * DISTANCE : one)).find(fits)
}

/** The target of a port that the Service has lost: an upgrade of Istio may write the whole Service again. */
function targetAgain(number: number, { gateway }: PortFacts): Pick<OwnPort, 'target'> {
  const target = portNumbered(gateway.service, number) === undefined ? freeTarget(number, gateway) : undefined
  return target === undefined ? {} : { target }
}

/** A port that the Service has already: one of ours, or one of the user. */
function requireOnlyOne(number: number, target: number, facts: Pick<PortFacts, 'gateway' | 'present'>): number {
  const { service, pods } = facts.gateway
  const isOurs = addedPorts(service).some(({ port }) => port === number)
  const other = (service.spec.ports ?? []).find(
    ({ port }) => port !== number && targetsNumbered(service, pods, port).includes(target),
  )
  const name = `Service ${gatewayName(facts.gateway)}`
  if (OF_PROXY.includes(target)) throw portTaken(`port ${number} of ${name} leads to the proxy itself`, facts.gateway)
  if (other !== undefined)
    throw portTaken(
      `port ${number} of ${name} leads to port ${target} of its pods, as port ${other.port} does`,
      facts.gateway,
    )
  if (!isOurs && target < FIRST_FREE)
    throw portTaken(
      `port ${number} of ${name} leads to port ${target} of its pods, where only root may listen: istiod leaves it out without a word`,
      facts.gateway,
    )
  requireNoServer(number, target, facts)
  return target
}

function containerPorts({ pods }: IngressGateway): number[] {
  return pods
    .flatMap(({ spec }) => [...spec.containers, ...(spec.initContainers ?? [])])
    .flatMap(({ ports = [] }) => ports)
    .map(({ containerPort }) => containerPort)
}

/** @throws UserError GATEWAY_PORT_TAKEN when another Gateway has the port, for whatever hosts */
function requireNoServer(number: number, target: number, { gateway, present }: Pick<PortFacts, 'gateway' | 'present'>) {
  const gateways = present.filter(({ kind }) => kind === 'Gateway')
  const bound = portNumbered(gateway.service, number) === undefined ? [number, target] : [target]
  const conflict = portConflict(bound, gateway, gateways)
  if (conflict === undefined) return
  const { gateway: other, hosts, protocol } = conflict
  const [namespace, name] = other.split('/')
  throw portTaken(
    `Gateway ${other} already serves ${shown(hosts.join(', '))} by ${shown(protocol)} on port ${conflict.number}`,
    gateway,
    sh`kubectl -n ${namespace} get gateways.networking.istio.io ${name} -o yaml`,
  )
}

function portTaken(message: string, gateway: IngressGateway, ...more: string[]): UserError {
  const { namespace, service } = gateway
  return new UserError('GATEWAY_PORT_TAKEN', message, {
    suggestions: [
      '--port NUMBER   # another port',
      ...(more.length > 0 ? more : [sh`kubectl -n ${namespace} get service ${service.metadata.name} -o yaml`]),
    ],
  })
}

/**
 * A port of its own is that of no other exposure.
 * @param named the requested ones: they get another port
 * @throws UserError OWN_PORT_INVALID (exit 2)
 */
export function requireApart(entries: readonly Entry[], named: readonly string[]): void {
  for (const one of entries) {
    const other = entries.find(({ name: addon, port }) => port === one.port && addon !== one.name)
    if (one.own === undefined || other === undefined) continue
    const [moving, staying] = named.includes(one.name) ? [one, other] : [other, one]
    const { port } = one
    const message = `--port ${port}: ${titleOf(staying.name)} already has this port at the gateway`
    throw usageError(OWN_PORT.code, message, [
      moving.own === undefined
        ? sh`kubectl telemetry expose ${argumentsFor(staying.name)} --port ${nextPort(port)} …   # another port for it`
        : `--port ${nextPort(port)}   # another port for ${titleOf(moving.name)}`,
    ])
  }
}

function nextPort(port: number): number {
  return port < 65_535 ? port + 1 : port - 1
}

/** @param isOther whether it is exposed already, and not named */
function ownPortNeeded(name: string, isOther = false): UserError {
  const message = `in the layout ports each exposure has a port of the gateway, and ${titleOf(name)} has no usual one`
  const words = argumentsFor(name)
  return usageError('OWN_PORT_NEEDED', message, [
    ...(isOther
      ? [
          sh`kubectl telemetry expose ${words} --port 8080   # before`,
          sh`kubectl telemetry cleanup ${words}   # or this`,
        ]
      : ['--port 8080']),
    '--layout hosts   # one port for all of them',
  ])
}

function sharedPort(port: number, layout: LayoutName, insecure: boolean): UserError {
  const message = `--port ${port} is shared by all hosts of the gateway and cannot be for one exposure only`
  const shared = schemePort(!insecure)
  return usageError(OWN_PORT.code, message, [
    ...(layout === 'hosts' && port !== shared ? [`--port ${shared}   # the port of all hosts`] : []),
    `--port ${port + 8000}`,
  ])
}

function anyHostAlone(): UserError {
  const message = '--any-host would answer for the hosts of others on a shared port, so it needs a port of its own'
  return usageError('ANY_HOST_UNUSABLE', message, ['--port 8080 --any-host --insecure'])
}

/** Our CAs vouch for no address: whoever trusts one would trust it for every site that is reached by its address. */
function anyHostNeedsHttp(): UserError {
  const message =
    'a CA of kubectl telemetry vouches for names below its domain and for no address, so HTTPS with --any-host needs your own certificate'
  return usageError('ANY_HOST_UNUSABLE', message, [
    '--any-host --insecure   # HTTP',
    '--any-host --tls-secret NAME   # your certificate, which may name the address',
    '--no-any-host   # HTTPS by the name of the host',
  ])
}
