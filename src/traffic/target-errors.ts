/** Why nothing can be sent, with the next command. Pure. */
import { argumentsFor, titleOf } from '../addons/service-name.ts'
import { UserError, usageError } from '../errors.ts'
import type { ExposedGateway } from '../exposing/exposed-gateways.ts'
import { sh } from '../shell.ts'
import type { TrafficRequest } from './request.ts'

export function notExposed({ target, namespace, gateway }: TrafficRequest, usual: string): UserError {
  const where = gateway === undefined ? '' : ` at gateway ${gateway.namespace}/${gateway.name}`
  if (target.by === 'url')
    return usageError(
      'TRAFFIC_HOST_FOREIGN',
      `no ingress gateway of the context serves ${target.url.origin}${where}; requests are only sent to hosts that one serves`,
      [
        'kubectl telemetry status   # what is exposed, and where',
        'kubectl get gateways.networking.istio.io -A   # hosts and ports of others',
      ],
    )
  const named = target.by === 'any' ? undefined : argumentsOf(target, namespace ?? usual)
  const message = named === undefined ? `nothing is exposed${where}` : `${named[0]} is not exposed${where}`
  const service = target.by === 'service' ? named : ['svc/NAME', '-n', 'NAMESPACE']
  return new UserError('TRAFFIC_NOT_EXPOSED', message, {
    suggestions: [
      sh`kubectl telemetry expose ${named ?? service}`,
      sh`kubectl telemetry traffic ${service} --via api-server   # without a gateway: the API server asks the pods`,
    ],
  })
}

function argumentsOf(target: Exclude<TrafficRequest['target'], { by: 'any' | 'url' }>, namespace: string): string[] {
  return target.by === 'addon' ? [target.name] : [`svc/${target.service.name}`, '-n', namespace]
}

export function closed(name: string): UserError {
  return new UserError('TRAFFIC_CLOSED', `the route of ${titleOf(name)} is closed until its guard is in force`, {
    suggestions: [sh`kubectl telemetry expose ${argumentsFor(name)}`, 'kubectl telemetry status'],
  })
}

/** Its gateway has gone, or has no address. */
export function unreachable(name: string, { namespace }: Pick<ExposedGateway, 'namespace'>): UserError {
  return new UserError(
    'TRAFFIC_UNREACHABLE',
    `${titleOf(name)} is exposed in namespace ${namespace}, but its ingress gateway has no address outside the cluster`,
    { suggestions: ['kubectl telemetry status', '--ingress-ip ADDRESS   # one of its addresses'] },
  )
}
