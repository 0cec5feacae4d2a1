/** Pure: plans the ports that exposures add to the gateway's Service, and finds those that were added before. */
import { serviceNamed } from '../addons/service-name.ts'
import type { Service, ServicePort } from '../cluster/objects.ts'
import { appliedFields, EXPOSING } from '../cluster/ownership.ts'
import { UserError } from '../errors.ts'
import { digestOf } from '../manifests/probe-paths.ts'
import { sh } from '../shell.ts'
import { portNumbered } from './find.ts'
import type { Entry } from './layout.ts'

/** A port in our server-side apply. */
export interface AddedPort {
  name: string
  port: number
  protocol: 'TCP'
  targetPort: number
  /** If left out, the API server chooses one and keeps it. */
  nodePort?: number
}

/** Reads the ports that we added. managedFields of the Service show which fields are ours. */
export function addedPorts(service: Service): AddedPort[] {
  const fields = appliedFields(service, EXPOSING)?.['f:spec']?.['f:ports']
  return Object.entries(fields ?? {}).flatMap(([key, own]) => {
    if (!key.startsWith('k:')) return []
    const { port: number } = JSON.parse(key.slice(2)) as { port: number }
    const port = portNumbered(service, number)
    if (port === undefined) return []
    const { name = '', nodePort, targetPort } = port
    const pinned = nodePort !== undefined && 'f:nodePort' in own ? { nodePort } : {}
    const target = typeof targetPort === 'number' ? targetPort : number
    return [{ name, port: number, protocol: 'TCP' as const, targetPort: target, ...pinned }]
  })
}

/** Why the ports that our field manager has in a Service are not believed to be ours; `undefined` if they are. */
export function whyNotOurPorts(service: Service): string | undefined {
  const other = addedPorts(service).find(({ name }) => !name.startsWith(PORT_NAME))
  return other === undefined
    ? undefined
    : `its port ${other.name || other.port} belongs to our field manager, and kubectl telemetry gives no port that name`
}

/**
 * The ports to add: those that entries need and the Service does not have yet.
 * @param nodePorts requested node ports by add-on
 * @throws UserError SERVICE_PORT_TAKEN when the user's port with that number leads elsewhere
 */
export function planPorts(service: Service, entries: readonly Entry[], nodePorts: Record<string, number>): AddedPort[] {
  const own = addedPorts(service)
  return entries.flatMap(({ name: addon, port, own: { target = port } = {} }) => {
    const nodePort = nodePorts[addon]
    const asked = nodePort === undefined ? {} : { nodePort }
    const ours = own.find((one) => one.port === port)
    if (ours !== undefined) return [{ ...ours, ...asked }]
    const present = portNumbered(service, port)
    if (present === undefined)
      return [{ name: freeName(service, addon), port, protocol: 'TCP' as const, targetPort: target, ...asked }]
    if (present.targetPort !== target) requireLeadsToItself(service, present)
    return []
  })
}

const PORT_NAME = 'telemetry-'

/** Port names have to be unique within a Service, and are labels: a name of a Service may be too long for one. */
function freeName({ spec }: Service, addon: string): string {
  const taken = new Set(spec.ports?.map(({ name }) => name))
  const first = PORT_NAME + (serviceNamed(addon) === undefined ? addon : digestOf(addon))
  const [name] = [first, ...Array.from({ length: 9 }, (_, index) => `${first}-${index + 2}`)].filter(
    (one) => !taken.has(one),
  )
  return name ?? `${first}-11`
}

/** Envoy listens on the number itself, so the user's port that leads there is as good as ours. */
function requireLeadsToItself(
  { metadata: { name, namespace } }: Service,
  { port, targetPort = port }: ServicePort,
): void {
  if (targetPort === port) return
  throw new UserError(
    'SERVICE_PORT_TAKEN',
    `port ${port} of Service ${namespace}/${name} leads to ${targetPort} and was not created by kubectl telemetry`,
    {
      suggestions: [
        'another port, or --layout hosts, which needs no port of its own',
        sh`kubectl -n ${namespace} get service ${name} -o yaml`,
      ],
    },
  )
}
