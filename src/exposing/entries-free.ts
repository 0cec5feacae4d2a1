/** Checks that the gateway has the ports for all entries, and that no other Gateway serves them. */
import { titleOf } from '../addons/service-name.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { UserError } from '../errors.ts'
import { type Finding, notes, warns } from '../findings.ts'
import { alsoAt, endsTls } from '../gateways/balancer.ts'
import { type HostConflict, hostConflicts, type ProtocolConflict, protocolConflict } from '../gateways/conflicts.ts'
import { needingPorts } from '../gateways/exposed-routes.ts'
import {
  boundPorts,
  gatewayName,
  type IngressGateway,
  portNumbered,
  targetsNumbered,
  usualTargets,
} from '../gateways/find.ts'
import { hostsPort, redirectPortOf, schemePort } from '../gateways/layout.ts'
import { portNeedsHosts } from '../gateways/names.ts'
import { sh } from '../shell.ts'
import type { ExposureSpec } from './spec.ts'

type Place = Pick<ExposureSpec, 'gateway' | 'address' | 'layout' | 'entries'>

/**
 * @returns whether port 80 is free for a redirect to HTTPS, and a warning for each host that the wildcard of another Gateway covers
 * @throws UserError GATEWAY_PORT_MISSING, GATEWAY_PORT_OTHER_PROTOCOL, HOST_TAKEN when another Gateway serves exactly this host
 */
export function requireEntriesFree(all: Place, present: KubeObject[]): { redirect: boolean; warnings: Finding[] } {
  const { gateway, address, layout } = all
  // Ports of their own were checked where they were chosen.
  const entries = all.entries.filter(({ own }) => own === undefined)
  const place = { ...all, entries }
  const [needing] = needingPorts(all.entries, layout)
  if (address.port !== undefined && needing !== undefined)
    throw portNeedsHosts(`${address.address}:${address.port}`, needing.own && titleOf(needing.name))
  if (entries.length === 0) return { redirect: false, warnings: otherAddresses(all) }
  requirePort(place)
  const others = present.filter(({ kind }) => kind === 'Gateway')
  requireProtocol(place, others)
  const conflicts = hostConflicts(entries, gateway, others)
  const taken = conflicts.find(isExact)
  if (taken !== undefined) throw hostTaken(taken)
  const covered = conflicts.map(({ host, port, gateway, claim }) =>
    warns(
      'HOST_COVERED',
      `Gateway ${gateway} serves ${claim} on port ${port}; for ${host}, the Gateway of kubectl telemetry takes precedence`,
      'if this host is in use there, choose another --domain',
    ),
  )
  const warnings = [...covered, ...otherAddresses(all)]
  if (!mayRedirect(place)) return { redirect: false, warnings }
  const plain = entries.map(({ host }) => ({ host, port: 80 }))
  const conflict = hostConflicts(plain, gateway, others).find(isExact)
  const used =
    conflict === undefined
      ? otherUse(gateway, others)
      : { gateway: conflict.gateway, use: `serves ${conflict.host} on port 80` }
  return { redirect: used === undefined, warnings: [...warnings, ...redirectWarnings(used)] }
}

/** Pages answer at each address of the gateway, whatever the URL says. */
function otherAddresses({ gateway, entries }: Place): Finding[] {
  const ports = [...new Set(entries.map(({ port }) => port))]
  const also = ports
    .flatMap((port) => alsoAt(gateway, port) ?? [])
    .toSorted((one, other) => Number(other.isMoreOpen) - Number(one.isMoreOpen))[0]
  if (also === undefined) return []
  if (!also.isMoreOpen) return [notes('GATEWAY_ALSO_AT', also.message)]
  return [
    warns(
      'GATEWAY_ALSO_AT',
      also.message,
      '--allow-cidr 10.0.0.0/8   # only clients of your own networks, at whatever address they come in',
      'another ingress gateway whose pods only the internal Service selects',
    ),
  ]
}

function requirePort({ gateway, layout }: Place): void {
  const { name: layoutName, secure } = layout
  const { namespace, service } = gateway
  const port = hostsPort(layout)
  if (layoutName === 'ports' || portNumbered(service, port) !== undefined) return
  const added = { name: secure ? 'https' : 'http2', port, targetPort: usualTargets(secure)[1] }
  const patch = JSON.stringify([{ op: 'add', path: '/spec/ports/-', value: added }])
  const hasOther = portNumbered(service, schemePort(!secure)) !== undefined
  throw new UserError('GATEWAY_PORT_MISSING', `Service ${gatewayName(gateway)} has no port ${port}`, {
    suggestions: [
      sh`kubectl -n ${namespace} patch service ${service.metadata.name} --type=json -p ${patch}   # or choose another Service with --gateway`,
      '--layout ports   # adds new ports to the Service',
      ...(hasOther
        ? [secure ? '--insecure   # HTTP, for which it has a port' : 'leave out --insecure   # it has port 443']
        : []),
    ],
  })
}

/** @throws UserError GATEWAY_PORT_OTHER_PROTOCOL when something else than our protocol is at a port that an entry needs */
function requireProtocol(place: Place, others: KubeObject[]): void {
  const { gateway, layout, entries } = place
  const { secure } = layout
  const [conflict] = [...new Set(entries.map(({ port }) => port))].flatMap(
    (number) => protocolConflict({ number, secure }, gateway, others) ?? [],
  )
  if (conflict !== undefined) throw otherProtocol(usedBy(conflict, secure), waysOut(place, others, conflict))
  const ended = secure && layout.name === 'hosts' ? tlsEndsBefore(gateway, hostsPort(layout)) : undefined
  if (ended !== undefined) throw otherProtocol(ended, waysOut(place, others))
}

function usedBy({ gateway, number, protocol, port, target }: ProtocolConflict, secure: boolean): string {
  const ours = secure ? 'HTTPS' : 'HTTP'
  return `Gateway ${gateway} serves ${protocol} on port ${number}, which is port ${target} of the same pods as port ${port}; Envoy serves one protocol on a port, so ${ours} on port ${port} would be silently ignored`
}

/** Why the gateway gets plaintext at its HTTPS port, as the Service shows. */
function tlsEndsBefore(gateway: IngressGateway, port: number): string | undefined {
  const { service, pods } = gateway
  const name = `Service ${gatewayName(gateway)}`
  const plain = schemePort(false)
  if (endsTls(service, port))
    return `the load balancer of ${name} ends TLS at port ${port} (the annotations of the Service), so the gateway gets plaintext there and cannot serve HTTPS`
  const both = targetsNumbered(service, pods, port).find((one) => targetsNumbered(service, pods, plain).includes(one))
  if (both === undefined || usualTargets(true).includes(both)) return undefined
  return `port ${port} of ${name} leads to port ${both} of the pods, as its port ${plain} does: a load balancer in front ends TLS, so the gateway gets plaintext there and cannot serve HTTPS`
}

function otherProtocol(message: string, suggestions: string[]): UserError {
  return new UserError('GATEWAY_PORT_OTHER_PROTOCOL', message, { suggestions })
}

/** The other scheme only where nothing is in its way. */
function waysOut({ gateway, layout }: Place, others: KubeObject[], conflict?: ProtocolConflict): string[] {
  const secure = !layout.secure
  const number = layout.name === 'hosts' ? schemePort(secure) : (conflict?.port ?? 0)
  const isFree =
    (layout.name === 'ports' || portNumbered(gateway.service, number) !== undefined) &&
    protocolConflict({ number, secure }, gateway, others) === undefined
  const scheme = secure
    ? 'leave out --insecure   # HTTPS, on its own port'
    : '--insecure   # the gateway serves HTTP; where a load balancer ends TLS, https:// works with its certificate, and its way to the gateway is plaintext'
  const [namespace, name] = conflict?.gateway.split('/') ?? []
  return [
    ...(isFree ? [scheme] : []),
    '--gateway NAMESPACE/SERVICE   # another ingress gateway',
    name === undefined
      ? sh`kubectl -n ${gateway.namespace} get service ${gateway.service.metadata.name} -o yaml`
      : sh`kubectl -n ${namespace} get gateways.networking.istio.io ${name} -o yaml`,
  ]
}

/** Envoy can redirect to the same port, or from 80 to 443. It does not know node ports. */
function mayRedirect({ gateway, address, layout }: Place): boolean {
  const plain = redirectPortOf(layout)
  if (
    plain === undefined ||
    address.onNode ||
    address.port !== undefined ||
    portNumbered(gateway.service, plain) === undefined
  )
    return false
  const secure = boundPorts(gateway, schemePort(true))
  return !boundPorts(gateway, plain).some((target) => secure.includes(target))
}

/** What keeps a redirect from port 80. */
function otherUse(gateway: IngressGateway, others: KubeObject[]): { gateway: string; use: string } | undefined {
  const plain = protocolConflict({ number: schemePort(false), secure: false }, gateway, others)
  return plain && { gateway: plain.gateway, use: `serves ${plain.protocol} on port ${plain.number}` }
}

function isExact({ host, claim }: HostConflict): boolean {
  return host === claim
}

function hostTaken({ gateway, host, port }: HostConflict): UserError {
  const [namespace, name] = gateway.split('/')
  return new UserError(
    'HOST_TAKEN',
    `Gateway ${gateway} already serves ${host} on port ${port}; of two Gateways with the same host, Istio silently ignores one`,
    {
      suggestions: [
        '--domain other.example.com',
        sh`kubectl -n ${namespace} get gateways.networking.istio.io ${name} -o yaml`,
      ],
    },
  )
}

function redirectWarnings(used: ReturnType<typeof otherUse>): Finding[] {
  if (used === undefined) return []
  const message = `Gateway ${used.gateway} ${used.use}, so http:// is not redirected to https://`
  return [notes('REDIRECT_LEFT_OUT', message, 'use https:// in links')]
}
