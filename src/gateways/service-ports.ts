/** The layout `ports` needs ports that no gateway's Service has: which to add, and which of those there are ours. Pure. */
import type { Service, ServicePort } from '../cluster/objects.ts'
import { appliedFields } from '../cluster/ownership.ts'
import { UserError } from '../errors.ts'
import { portNumbered } from './find.ts'
import type { Entry } from './layout.ts'

/** A port as we apply it. */
export interface OwnPort {
  name: string
  port: number
  protocol: 'TCP'
  targetPort: number
  /** Left out: the API server chooses one, and it stays as it is. */
  nodePort?: number
}

/** The ports that we added, as we applied them. Who owns which field is in the object itself. */
export function ownPorts(service: Service): OwnPort[] {
  const fields = appliedFields(service)?.['f:spec']?.['f:ports']
  return Object.entries(fields ?? {}).flatMap(([key, own]) => {
    if (!key.startsWith('k:')) return []
    const { port: number } = JSON.parse(key.slice(2)) as { port: number }
    const port = portNumbered(service, number)
    if (port === undefined) return []
    const { name = '', nodePort } = port
    const pinned = nodePort !== undefined && 'f:nodePort' in own ? { nodePort } : {}
    return [{ name, port: number, protocol: 'TCP' as const, targetPort: number, ...pinned }]
  })
}

/**
 * The ports that are to be ours: those that entries need and nobody else has put there.
 * @param nodePorts by add-on: those that were asked for
 * @throws UserError SERVICE_PORT_TAKEN when somebody's port of that number leads elsewhere
 */
export function planPorts(service: Service, entries: Entry[], nodePorts: Record<string, number>): OwnPort[] {
  const own = ownPorts(service)
  return entries.flatMap(({ addon, port }) => {
    const nodePort = nodePorts[addon]
    const asked = nodePort === undefined ? {} : { nodePort }
    const ours = own.find((one) => one.port === port)
    if (ours !== undefined) return [{ ...ours, ...asked }]
    const theirs = portNumbered(service, port)
    if (theirs === undefined)
      return [{ name: freeName(service, addon), port, protocol: 'TCP' as const, targetPort: port, ...asked }]
    requireLeadsToItself(service, theirs)
    return []
  })
}

/** Names are unique within a Service. */
function freeName({ spec }: Service, addon: string): string {
  const taken = new Set(spec.ports?.map(({ name }) => name))
  const [name] = [
    `telemetry-${addon}`,
    ...Array.from({ length: 9 }, (_, index) => `telemetry-${addon}-${index + 2}`),
  ].filter((one) => !taken.has(one))
  return name ?? addon
}

/** Envoy listens on the number itself: a port of somebody else's that leads there serves as well as ours would. */
function requireLeadsToItself(
  { metadata: { name, namespace } }: Service,
  { port, targetPort = port }: ServicePort,
): void {
  if (targetPort === port) return
  throw new UserError(
    'SERVICE_PORT_TAKEN',
    `port ${port} of Service ${namespace}/${name} leads to ${targetPort} and is somebody else's`,
    {
      suggestions: [
        '--layout hosts   # needs no port of its own',
        `kubectl -n ${namespace} get service ${name} -o yaml`,
      ],
    },
  )
}
