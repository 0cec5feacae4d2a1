/** Whether the way of the requests fits what they are for. Pure. */
import type { ServiceChoice } from '../addons/service-survey.ts'
import { type UserError, usageError } from '../errors.ts'
import { isPlainPath } from '../text.ts'
import type { TrafficRequest } from './request.ts'

/** A gateway knows by which port it reaches a Service. @throws UserError TRAFFIC_VIA_INVALID (exit 2) */
export function requireNoPort({ target }: Pick<TrafficRequest, 'target'>): void {
  if (target.by !== 'service' || target.service.port === undefined) return
  const { name } = target.service
  throw invalid(
    `svc/${name}:${target.service.port} names a port, which the exposure decides`,
    `svc/${name}`,
    `svc/${name}:${target.service.port} --via api-server`,
  )
}

/** The API server asks pods, by their paths only. @returns the Service. @throws UserError TRAFFIC_VIA_INVALID (exit 2) */
export function requireForPods({ target, paths, gateway, ingressAddress }: TrafficRequest): ServiceChoice {
  if (target.by !== 'service')
    throw invalid(
      '--via api-server is for a Service: svc/NAME',
      'kubectl telemetry traffic svc/NAME -n NAMESPACE --via api-server',
    )
  if (gateway !== undefined || ingressAddress !== undefined)
    throw invalid('--via api-server uses no gateway, so --gateway and --ingress-ip do not fit', '--via gateway')
  const odd = paths.find((path) => !isPlain(path))
  if (odd !== undefined)
    throw invalid(
      `--via api-server takes plain paths, and each name of a query once: not ${JSON.stringify(odd.slice(0, 100))}`,
      '--path /productpage',
    )
  return target.service
}

/** The parts of a path that the API server's proxy gets. */
export function partsOf(text: string): { path: string; query: Record<string, string> } {
  const { pathname, searchParams } = new URL(`http://pod${text}`)
  return { path: pathname, query: Object.fromEntries(searchParams) }
}

function isPlain(text: string): boolean {
  const { path, query } = partsOf(text)
  const { searchParams } = new URL(`http://pod${text}`)
  // A URL resolves dot segments: the path would be another one.
  return isPlainPath(path) && text.startsWith(path) && Object.keys(query).length === searchParams.size
}

function invalid(message: string, ...suggestions: string[]): UserError {
  return usageError('TRAFFIC_VIA_INVALID', message, suggestions)
}
