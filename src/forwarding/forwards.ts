/** Finds the targets of local ports: add-ons, or one Service by its name. */
import { type AddonChoice, rowsOf } from '../addons/catalog.ts'
import type { FoundAddon } from '../addons/find.ts'
import { isHttpsPort } from '../addons/https.ts'
import { requireOneServer } from '../addons/servers.ts'
import { portsNamed, type ServiceChoice, serviceNotFound } from '../addons/service-survey.ts'
import { chooseAddons, pathFindings, readConfiguration, type SurveyedAddon } from '../addons/survey.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { EndpointSlice, Service } from '../cluster/objects.ts'
import { readServices } from '../cluster/reading.ts'
import { ENDPOINT_SLICES, SERVICES } from '../cluster/resources.ts'
import { type Finding, warns } from '../findings.ts'
import type { Dependencies } from '../world.ts'
import { SERVICE_LABEL, type ServiceEndpoints } from './follow-endpoints.ts'

/** The target of one local port. */
export interface Forward extends ServiceEndpoints {
  name: string
  usualPort: number
  /** Connections do not wait for it. */
  page: Promise<ForwardedPage>
  /** Whether it is an add-on, which a request does not harm: any other Service may not speak HTTP. */
  isAddon: boolean
}

/** The page of an add-on; of any other Service its root. */
export interface ForwardedPage {
  path: string
  /** Whether it is served over HTTPS, as far as the Service and the add-on's configuration say. */
  secure: boolean
}

export interface ForwardChoice {
  /** Ignored when a Service is named. */
  addons: AddonChoice
  service?: ServiceChoice | undefined
  namespace?: string | undefined
  addresses: string[]
}

type Needs = Pick<Dependencies, 'cluster' | 'terminal'>

export interface FoundForwards {
  forwards: Forward[]
  warnings: Finding[]
  /** Of the paths, when they are known. It fails where they do, and needs no handler. */
  pathWarnings: Promise<Finding[]>
}

/** @throws UserError; see the codes in addons/survey.ts, and SERVICE_NOT_FOUND, PORT_MISSING */
export async function findForwards(request: ForwardChoice, dependencies: Needs): Promise<FoundForwards> {
  const { service, namespace } = request
  if (service !== undefined) {
    const forward = await namedForward(service, namespace, dependencies.cluster)
    return { forwards: [forward], warnings: [], pathWarnings: Promise.resolve([]) }
  }
  const { cluster } = dependencies
  const usual = request.addons.names.flatMap(rowsOf).map(({ sample }) => sample.service)
  const [services, slices] = await Promise.all([readServices(cluster), readSlices(cluster, namespace, usual)])
  const { chosen, warnings } = await chooseAddons(request.addons, services, namespace, dependencies)
  const isLocal = isLoopback(request.addresses)
  const reading = readConfiguration(chosen, cluster, isLocal ? 'path' : 'access and path')
  const open = isLocal ? [] : openWarnings(await reading, request.addresses)
  const forwards = chosen.map((found, index) => {
    const page = reading.then((addons) => pageOf(addons[index]))
    return addonForward(found, slices, handledByCaller(page))
  })
  return { forwards, warnings: [...warnings, ...open], pathWarnings: handledByCaller(reading.then(pathFindings)) }
}

function addonForward(
  { addon, namespace, service, port }: FoundAddon,
  slices: EndpointSlice[],
  page: Promise<ForwardedPage>,
): Forward {
  const { name } = service.metadata
  return {
    name: addon.name,
    namespace,
    service: name,
    portName: portNameOf(service, port),
    usualPort: addon.ports.numbers[0] ?? port,
    page,
    isAddon: true,
    slices: slicesOf(slices, namespace, name),
  }
}

/** @throws UserError SEVERAL_SERVERS */
function pageOf(addon: SurveyedAddon | undefined): ForwardedPage {
  if (addon !== undefined) requireOneServer(addon)
  return { path: addon?.path ?? '/', secure: addon?.https !== undefined }
}

/** The caller that awaits it handles the error; this only prevents an unhandled rejection. */
function handledByCaller<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

/**
 * Reads the slices of Services with these names at the same time as the Services: pods can then be reached before the watch answers.
 * @returns none when they cannot be read: the watch reports the reason later
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

/** Warns when a port that is reachable from the network leads to an add-on that needs no login. */
function openWarnings(addons: SurveyedAddon[], addresses: string[]): Finding[] {
  return addons.flatMap(({ found: { addon }, access }) => {
    if (access.kind === 'login') return []
    const who = access.kind === 'anonymous' ? `lets anyone in as ${access.role}` : 'may let anyone in'
    const message = `${addon.title} ${who}, and ${addresses.join(', ')} can be reached from the network`
    return [warns('ADDRESS_OPEN', message, 'omit --address: then only this machine can reach it')]
  })
}

async function namedForward(
  { name, port }: ServiceChoice,
  named: string | undefined,
  cluster: Cluster,
): Promise<Forward> {
  const namespace = named ?? cluster.namespace
  const [service, slices] = await Promise.all([
    cluster.get<Service>(SERVICES, { name, namespace }),
    readSlices(cluster, namespace, [name]),
  ])
  if (service === undefined) throw serviceNotFound({ name, namespace })
  const chosen = portsNamed(service, port)[0]?.port ?? 0
  const page = Promise.resolve({ path: '/', secure: isHttpsPort(service, chosen) })
  const portName = portNameOf(service, chosen)
  return { name, namespace, service: name, portName, usualPort: chosen, page, isAddon: false, slices }
}

function portNameOf({ spec }: Service, number: number): string {
  return spec.ports?.find(({ port }) => port === number)?.name ?? ''
}

/** Whether only this machine can reach these addresses. */
export function isLoopback(addresses: string[]): boolean {
  return addresses.every((address) => address === '::1' || address === 'localhost' || address.startsWith('127.'))
}
