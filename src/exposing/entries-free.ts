/** Whether the gateway has the ports that entries need, and nobody else's Gateway serves them. */
import type { KubeObject } from '../cluster/cluster.ts'
import { UserError } from '../errors.ts'
import { type HostConflict, hostConflicts } from '../gateways/conflicts.ts'
import { gatewayName, portNumbered } from '../gateways/find.ts'
import { schemePort } from '../gateways/layout.ts'
import type { Warning } from '../world.ts'
import { type ExposureRequest, entriesOf } from './plan.ts'

/**
 * @returns whether port 80 is free for a redirect to HTTPS, and a warning for each host that a wildcard of somebody else's served
 * until now
 * @throws UserError GATEWAY_PORT_MISSING, HOST_TAKEN when another Gateway has the very host
 */
export function requireEntriesFree(
  gathered: ExposureRequest,
  present: KubeObject[],
): { redirect: boolean; warnings: Warning[] } {
  requirePort(gathered)
  const entries = entriesOf(gathered)
  const others = present.filter(({ kind }) => kind === 'Gateway')
  const conflicts = hostConflicts(entries, gathered.gateway, others)
  const taken = conflicts.find(isExact)
  if (taken !== undefined) throw hostTaken(taken)
  const covered = conflicts.map(({ host, port, gateway, claim }) => ({
    code: 'HOST_COVERED',
    message: `Gateway ${gateway} claims ${claim} on port ${port}; for ${host} ours goes first`,
    remedy: 'if something is served there under that name, use another --domain',
  }))
  if (!mayRedirect(gathered)) return { redirect: false, warnings: covered }
  const plain = entries.map(({ host }) => ({ host, port: 80 }))
  const inTheWay = hostConflicts(plain, gathered.gateway, others).find(isExact)
  return { redirect: inTheWay === undefined, warnings: [...covered, ...redirectWarnings(inTheWay)] }
}

function requirePort({ gateway, layout }: ExposureRequest): void {
  const port = schemePort(layout.secure)
  if (layout.name === 'ports' || portNumbered(gateway.service, port) !== undefined) return
  throw new UserError('GATEWAY_PORT_MISSING', `Service ${gatewayName(gateway)} has no port ${port}`, {
    suggestions: [
      `kubectl -n ${gateway.namespace} get service ${gateway.service.metadata.name}   # add ${port}, or name another one by --gateway`,
      '--layout ports   # adds ports of its own to the Service',
    ],
  })
}

/** Envoy redirects to the port that it was asked on, or from 80 to 443: node ports it does not know. */
function mayRedirect({ gateway, address, layout }: ExposureRequest): boolean {
  const hasPlain = portNumbered(gateway.service, schemePort(false)) !== undefined
  return layout.name === 'hosts' && layout.secure && hasPlain && !address.onNode
}

function isExact({ host, claim }: HostConflict): boolean {
  return host === claim
}

function hostTaken({ gateway, host, port }: HostConflict): UserError {
  return new UserError(
    'HOST_TAKEN',
    `Gateway ${gateway} serves ${host} on port ${port} already; of two, Istio would drop one silently`,
    {
      suggestions: [
        '--domain other.example.com',
        `kubectl -n ${gateway.replace('/', ' get gateways.networking.istio.io ')} -o yaml`,
      ],
    },
  )
}

function redirectWarnings(inTheWay: HostConflict | undefined): Warning[] {
  if (inTheWay === undefined) return []
  const message = `Gateway ${inTheWay.gateway} serves ${inTheWay.host} on port 80, so http:// is not redirected to https://`
  return [{ code: 'REDIRECT_LEFT_OUT', message, remedy: 'use https:// in links' }]
}
