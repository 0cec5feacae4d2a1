/** Services that are no add-ons and are exposed like them: found by their names, and by nothing else. */
import type { Cluster, ObjectName } from '../cluster/cluster.ts'
import { isStaying, matchesSelector, type Pod, type Service, type ServicePort } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { PODS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { Finding, Severity } from '../findings.ts'
import { sh } from '../shell.ts'
import { shown } from '../text.ts'
import type { Addon } from './addon.ts'
import type { FoundAddon } from './find.ts'
import { httpsSign } from './https.ts'
import { nameOfService } from './service-name.ts'
import type { SurveyedAddon } from './survey.ts'

/** `svc/NAME[:PORT]`: a port by its number or by its name. */
export interface ServiceChoice {
  name: string
  port?: number | string | undefined
}

/** The names of add-ons, and those under which Services of a namespace are exposed. @throws UserError SERVICE_NAME_LONG (exit 2) */
export function namesChosen(
  addons: readonly string[],
  services: readonly ServiceChoice[],
  namespace: string,
): string[] {
  return [...addons, ...services.map(({ name }) => nameOfService({ name, namespace }))]
}

/**
 * The chosen Services of a namespace.
 * @throws UserError SERVICE_NOT_FOUND, SERVICE_WITHOUT_ADDRESS, PORT_MISSING, PORT_UNCLEAR, PORT_NOT_HTTP
 */
export async function surveyServices(
  choices: readonly ServiceChoice[],
  services: readonly Service[],
  namespace: string,
  cluster: Cluster,
): Promise<SurveyedAddon[]> {
  const found = choices.map((choice) => {
    const service = requireService({ name: choice.name, namespace }, services)
    return foundService(service, requirePort(service, choice.port))
  })
  return Promise.all(found.map((one) => readService(one, cluster)))
}

/** A Service may get its pods later, so it is exposed all the same. */
export function serviceNotReady(
  { metadata: { name, namespace } }: Pick<Service, 'metadata'>,
  severity: Severity,
): Finding {
  const message = `Service ${namespace}/${name} has no Ready pod, so its page cannot answer`
  return {
    code: 'SERVICE_NOT_READY',
    severity,
    message,
    remedies: [sh`kubectl -n ${namespace} describe service ${name}`],
  }
}

/** What is known of a Service: who may enter is not. */
export async function readService(found: FoundAddon, cluster: Cluster): Promise<SurveyedAddon> {
  const { namespace, service } = found
  const all = await readable(cluster.list<Pod>(PODS, { namespace }))
  const pods = all?.filter((pod) => isStaying(pod) && matchesSelector(pod, service.spec.selector))
  return {
    found,
    access: { kind: 'unknown' },
    visitor: '',
    path: '/',
    identityHeaders: [],
    https: httpsSign(found, pods ?? [], undefined),
    ...(pods === undefined ? {} : { pods }),
  }
}

/** A Service in place of an add-on: a row of the catalogue that says nothing but its name. */
export function foundService(service: Service, port: number): FoundAddon {
  const { name, namespace = '' } = service.metadata
  const addon: Addon = {
    name: nameOfService({ name, namespace }),
    title: `svc/${name}`,
    labels: [],
    ports: { numbers: [port], names: [] },
    sample: { service: name, port, path: '/' },
    path: { byDefault: '/' },
    access: { by: 'nature', role: 'anyone' },
    visitor: { roles: {}, otherwise: '', facts: [] },
  }
  return { addon, service, namespace, port }
}

/** @throws UserError SERVICE_NOT_FOUND, SERVICE_WITHOUT_ADDRESS */
function requireService({ name, namespace }: Required<ObjectName>, services: readonly Service[]): Service {
  const service = services.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace)
  if (service !== undefined) return requireAddress(service)
  const elsewhere = services.filter(({ metadata }) => metadata.name === name).slice(0, 3)
  throw serviceNotFound(
    { name, namespace },
    elsewhere.map(({ metadata }) => metadata.namespace ?? ''),
  )
}

/** @param elsewhere namespaces that have a Service of this name */
export function serviceNotFound(
  { name, namespace }: Required<ObjectName>,
  elsewhere: readonly string[] = [],
): UserError {
  return new UserError('SERVICE_NOT_FOUND', `Service ${name} not found in namespace ${namespace}`, {
    suggestions:
      elsewhere.length > 0
        ? elsewhere.map((one) => sh`-n ${one}`)
        : ['-n NAMESPACE', sh`kubectl get services -A | grep ${name}`],
  })
}

/** A gateway sends requests to a Service by its address: Istio knows no endpoints of a name elsewhere, and a headless one has no address. */
function requireAddress(service: Service): Service {
  const { spec, metadata } = service
  const kind =
    spec.type === 'ExternalName'
      ? 'an ExternalName Service'
      : spec.clusterIP === 'None'
        ? 'a headless Service'
        : undefined
  if (kind === undefined) return service
  const { name, namespace } = metadata
  throw new UserError(
    'SERVICE_WITHOUT_ADDRESS',
    `Service ${namespace}/${name} is ${kind}, which has no address of its own in the cluster; it cannot be exposed`,
    { suggestions: [sh`kubectl -n ${namespace} get services   # another Service before the same pods`] },
  )
}

/** @throws UserError PORT_MISSING, PORT_UNCLEAR, PORT_NOT_HTTP */
function requirePort(service: Service, wanted: number | string | undefined): number {
  const { name, namespace } = service.metadata
  const all = portsNamed(service, wanted)
  const named = all.filter(({ protocol = 'TCP' }) => protocol === 'TCP')
  const [port, another] = named.filter(speaksHttp)
  if (port === undefined) throw notHttp(service, named[0] ?? all[0])
  if (another === undefined) return port.port
  const has = named.map((one) => (one.name ? `${one.port} (${shown(one.name)})` : String(one.port))).join(', ')
  const message = `Service ${namespace}/${name} has the ports ${has}, and none of them was named`
  throw new UserError('PORT_UNCLEAR', message, { suggestions: named.map((one) => `svc/${name}:${one.port}`) })
}

/**
 * The ports of a Service with this number or name; all if left out.
 * @throws UserError PORT_MISSING
 */
export function portsNamed(service: Service, wanted: number | string | undefined): ServicePort[] {
  const { name, namespace } = service.metadata
  const { ports = [] } = service.spec
  const found = ports.filter((one) => wanted === undefined || one.port === wanted || one.name === wanted)
  if (found.length > 0) return found
  const has = ports.map(({ port }) => port)
  const lacks = wanted === undefined ? 'ports' : `port ${wanted}; it has ${has.join(', ') || 'none'}`
  throw new UserError('PORT_MISSING', `Service ${namespace}/${name} has no ${lacks}`, {
    suggestions: has.map((number) => `svc/${name}:${number}`),
  })
}

function notHttp({ metadata: { name, namespace } }: Service, port: ServicePort | undefined): UserError {
  const { protocol = 'TCP', appProtocol } = port ?? {}
  const isTcp = protocol === 'TCP'
  const named =
    appProtocol === undefined ? `is named ${shown(port?.name ?? '')}` : `has appProtocol ${shown(appProtocol)}`
  const says = isTcp ? named : `has protocol ${shown(protocol)}`
  return new UserError(
    'PORT_NOT_HTTP',
    `port ${port?.port} of Service ${namespace}/${name} ${says}: only HTTP, HTTP/2 and gRPC can be exposed`,
    {
      suggestions: isTcp
        ? [
            sh`kubectl telemetry port-forward ${`svc/${name}:${port?.port}`} -n ${namespace}   # any protocol, only for you`,
            'if it does speak HTTP: appProtocol: http at this port of the Service',
          ]
        : [sh`kubectl -n ${namespace} get service ${name} -o yaml   # has it a port for TCP?`],
    },
  )
}

/** Protocols of Istio that are not HTTP. What it does not know it takes for HTTP at a gateway. */
const OTHERS = ['tcp', 'tls', 'mongo', 'mysql', 'redis', 'udp', 'postgres', 'kafka', 'amqp', 'ldap']

/**
 * Whether Istio may take a port for HTTP: by `appProtocol`, else by the beginning of its name. HTTPS is judged where the pods are known.
 * https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/
 */
function speaksHttp({ appProtocol, name = '' }: ServicePort): boolean {
  const protocol = (appProtocol ?? name.split('-')[0] ?? '').toLowerCase()
  return !OTHERS.includes(protocol)
}
