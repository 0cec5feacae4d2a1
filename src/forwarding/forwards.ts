/** What local ports are to lead to: add-ons, or one Service by its name. */
import { type AddonChoice, rowsOf } from '../addons/catalog.ts'
import type { FoundAddon } from '../addons/find.ts'
import { chooseAddons, readConfiguration, type SurveyedAddon } from '../addons/survey.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { EndpointSlice, Service } from '../cluster/objects.ts'
import { readServices } from '../cluster/reading.ts'
import { ENDPOINT_SLICES, SERVICES } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { Dependencies, Warning } from '../world.ts'
import { type Followed, SERVICE_LABEL } from './follow-endpoints.ts'

/** What one local port leads to. */
export interface Forward extends Followed {
  name: string
  usualPort: number
  /** Where its page is. Connections need not wait until it is known. */
  path: Promise<string>
}

export interface ForwardChoice {
  /** Ignored when a Service is named. */
  addons: AddonChoice
  service?: { name: string; port?: number | undefined } | undefined
  namespace?: string | undefined
  addresses: string[]
}

/** @throws UserError; see the codes in addons/survey.ts, and SERVICE_NOT_FOUND, PORT_MISSING */
export async function findForwards(
  request: ForwardChoice,
  asking: Pick<Dependencies, 'cluster' | 'terminal'>,
): Promise<{ forwards: Forward[]; warnings: Warning[] }> {
  const { service, namespace } = request
  if (service !== undefined) return { forwards: [await namedForward(service, namespace, asking.cluster)], warnings: [] }
  const { cluster } = asking
  const usual = request.addons.names.flatMap(rowsOf).map(({ sample }) => sample.service)
  const [services, slices] = await Promise.all([readServices(cluster), readSlices(cluster, namespace, usual)])
  const { chosen, warnings } = await chooseAddons(request.addons, services, namespace, asking)
  const isLocal = isLoopback(request.addresses)
  const reading = readConfiguration(chosen, cluster, isLocal ? 'path' : 'access and path')
  const open = isLocal ? [] : openWarnings(await reading, request.addresses)
  const forwards = chosen.map((found, index) => addonForward(found, slices, pathOf(reading, index)))
  return { forwards, warnings: [...warnings, ...open] }
}

function addonForward(
  { addon, namespace, service, port }: FoundAddon,
  slices: EndpointSlice[],
  path: Promise<string>,
): Forward {
  const { name } = service.metadata
  return {
    name: addon.name,
    namespace,
    service: name,
    portName: portNameOf(service, port),
    usualPort: addon.ports.numbers[0] ?? port,
    path,
    slices: slicesOf(slices, namespace, name),
  }
}

function pathOf(reading: Promise<SurveyedAddon[]>, index: number): Promise<string> {
  const path = reading.then((addons) => addons[index]?.path ?? '/')
  // Whoever waits for it is told.
  path.catch(() => {})
  return path
}

/**
 * The slices of Services that are called so, read beside the Services: their pods can be reached before they are watched.
 * @returns none when they may not be read: the watch has its say later
 */
async function readSlices(
  cluster: Cluster,
  namespace: string | undefined,
  services: string[],
): Promise<EndpointSlice[]> {
  const labels = `${SERVICE_LABEL} in (${[...new Set(services)].join(',')})`
  const where = namespace === undefined ? {} : { namespace }
  try {
    return await cluster.list<EndpointSlice>(ENDPOINT_SLICES, { ...where, labels })
  } catch {
    return []
  }
}

function slicesOf(slices: EndpointSlice[], namespace: string, service: string): EndpointSlice[] {
  return slices.filter(
    ({ metadata }) => metadata.namespace === namespace && metadata.labels?.[SERVICE_LABEL] === service,
  )
}

/** A port for the whole network leads whoever finds it to an add-on that lets anyone in. */
function openWarnings(addons: SurveyedAddon[], addresses: string[]): Warning[] {
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
  const [service, slices] = await Promise.all([
    cluster.get<Service>(SERVICES, { name, namespace }),
    readSlices(cluster, namespace, [name]),
  ])
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
  const portName = portNameOf(service, chosen)
  return { name, namespace, service: name, portName, usualPort: chosen, path: Promise.resolve('/'), slices }
}

function portNameOf({ spec }: Service, number: number): string {
  return spec.ports?.find(({ port }) => port === number)?.name ?? ''
}

/** Whether only this machine reaches them. */
export function isLoopback(addresses: string[]): boolean {
  return addresses.every((address) => address === '::1' || address === 'localhost' || address.startsWith('127.'))
}
