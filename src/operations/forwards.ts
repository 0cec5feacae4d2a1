/** What local ports are to lead to: add-ons, or one Service by its name. */
import type { AddonChoice } from '../addons/catalog.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { SERVICES } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { Dependencies, Warning } from './dependencies.ts'
import type { Followed } from './follow-endpoints.ts'
import { readServices } from './reading.ts'
import { type SurveyedAddon, surveyAddons } from './survey-addons.ts'

/** What one local port leads to. */
export interface Forward extends Followed {
  name: string
  usualPort: number
  path: string
}

export interface ForwardChoice {
  /** Ignored when a Service is named. */
  addons: AddonChoice
  service?: { name: string; port?: number | undefined } | undefined
  namespace?: string | undefined
  addresses: string[]
}

/** @throws UserError; see the codes in survey-addons.ts, and SERVICE_NOT_FOUND, PORT_MISSING */
export async function findForwards(
  request: ForwardChoice,
  asking: Pick<Dependencies, 'cluster' | 'terminal'>,
): Promise<{ forwards: Forward[]; warnings: Warning[] }> {
  const { service, namespace } = request
  if (service !== undefined) return { forwards: [await namedForward(service, namespace, asking.cluster)], warnings: [] }
  const services = await readServices(asking.cluster)
  const wanting = isLoopback(request.addresses) ? 'path' : 'access and path'
  const { addons, warnings } = await surveyAddons(request.addons, services, namespace, asking, wanting)
  const forwards = addons.map(({ found, path }) => ({
    name: found.addon.name,
    namespace: found.namespace,
    service: found.service.metadata.name,
    portName: portNameOf(found.service, found.port),
    usualPort: found.addon.ports.numbers[0] ?? found.port,
    path,
  }))
  return { forwards, warnings: [...warnings, ...openWarnings(addons, request.addresses)] }
}

/** A port for the whole network leads whoever finds it to an add-on that lets anyone in. */
function openWarnings(addons: SurveyedAddon[], addresses: string[]): Warning[] {
  if (isLoopback(addresses)) return []
  return addons.flatMap(({ found: { addon }, access }) => {
    if (access.kind === 'login') return []
    const who = access.kind === 'anonymous' ? `lets anyone in as ${access.role}` : 'may let anyone in'
    const message = `${addon.title} ${who}, and ${addresses.join(', ')} is reached from the network`
    return [{ code: 'ADDRESS_OPEN', message, remedy: 'leave --address out: then only this machine reaches it' }]
  })
}

async function namedForward(
  { name, port }: { name: string; port?: number | undefined },
  named: string | undefined,
  cluster: Cluster,
): Promise<Forward> {
  const namespace = named ?? cluster.namespace
  const service = await cluster.get<Service>(SERVICES, { name, namespace })
  if (service === undefined) {
    throw new UserError('SERVICE_NOT_FOUND', `there is no Service ${name} in namespace ${namespace}`, {
      suggestions: ['-n NAMESPACE', `kubectl get services -A | grep ${name}`],
    })
  }
  const known = service.spec.ports?.map(({ port: number }) => number) ?? []
  const chosen = port ?? known[0]
  if (chosen === undefined || !known.includes(chosen)) {
    throw new UserError(
      'PORT_MISSING',
      `Service ${namespace}/${name} has no port${port === undefined ? 's' : ` ${port}; it has ${known.join(', ') || 'none'}`}`,
      {
        suggestions: known.map((number) => `svc/${name}:${number}`),
      },
    )
  }
  return { name, namespace, service: name, portName: portNameOf(service, chosen), usualPort: chosen, path: '/' }
}

function portNameOf({ spec }: Service, number: number): string {
  return spec.ports?.find(({ port }) => port === number)?.name ?? ''
}

/** Whether only this machine reaches them. */
export function isLoopback(addresses: string[]): boolean {
  return addresses.every((address) => address === '::1' || address === 'localhost' || address.startsWith('127.'))
}
