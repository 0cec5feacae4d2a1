/** Where an add-on runs: pure, over the Services of the cluster. */
import type { Service } from '../cluster/objects.ts'
import { type Addon, rowsOf } from './catalog.ts'

export interface FoundAddon {
  addon: Addon
  service: Service
  namespace: string
  port: number
}

/** People may say themselves which Service serves an add-on, where labels do not tell. */
export const ADDON_ANNOTATION = 'kubectl-telemetry/addon'

/** Every Service that serves the add-on: those that say so in an annotation, else by the first label set that is found. */
export function findAddon(addon: Addon, services: Service[]): FoundAddon[] {
  const annotated = services.filter(({ metadata }) => metadata.annotations?.[ADDON_ANNOTATION] === addon.name)
  const said = rowsOf(addon.name).flatMap((row) =>
    fitting(
      row,
      annotated.filter((service) => rowOf(service, row.name) === row),
    ),
  )
  if (said.length > 0) return said.filter((found) => found.addon === addon)
  for (const labels of addon.labels) {
    const found = fitting(
      addon,
      services.filter((service) => carries(service, labels)),
    )
    if (found.length > 0) return found
  }
  return []
}

/** Of several rows of one name the one whose labels the Service has, else the one whose port. */
function rowOf(service: Service, name: string): Addon | undefined {
  const rows = rowsOf(name)
  const byLabels = rows.find((row) => row.labels.some((labels) => carries(service, labels)))
  return byLabels ?? rows.find((row) => portByNumber(row, service) !== undefined) ?? rows[0]
}

/** Those with a port for the pages, one for each workload: known by the port's number before its name, headless ones last. */
function fitting(addon: Addon, candidates: Service[]): FoundAddon[] {
  const rank = ({ service }: FoundAddon) =>
    Number(portByNumber(addon, service) === undefined) * 2 + Number(service.spec.clusterIP === 'None')
  const found = candidates.flatMap((service) => {
    const port = portByNumber(addon, service) ?? portByName(addon, service)
    return port === undefined ? [] : [{ addon, service, namespace: service.metadata.namespace ?? '', port }]
  })
  return onePerWorkload(found.toSorted((a, b) => rank(a) - rank(b)))
}

/** On the Service itself, or in its selector: Istio's tracing Services are told apart by that alone. */
function carries({ metadata, spec }: Service, labels: Record<string, string>): boolean {
  return [metadata.labels, spec.selector].some((carried) =>
    Object.entries(labels).every(([name, value]) => carried?.[name] === value),
  )
}

/** Several Services in front of the same pods (Zipkin's `tracing` and `zipkin`) are one add-on: the first is taken. */
function onePerWorkload(found: FoundAddon[]): FoundAddon[] {
  const workload = ({ namespace, service }: FoundAddon) =>
    JSON.stringify([namespace, Object.entries(service.spec.selector ?? {}).sort()])
  return found.filter((one, index) => found.findIndex((other) => workload(other) === workload(one)) === index)
}

/** On the Service or behind it. */
function portByNumber({ ports }: Addon, { spec }: Service): number | undefined {
  const isKnown = (number: number | string | undefined) => typeof number === 'number' && ports.numbers.includes(number)
  return spec.ports?.find(({ port, targetPort }) => isKnown(port) || isKnown(targetPort))?.port
}

/** Names are shared (`http-query` is Jaeger's pages and Zipkin's collector): a number that another row of the name knows is that row's. */
function portByName({ name: addonName, ports }: Addon, { spec }: Service): number | undefined {
  const others = rowsOf(addonName).flatMap((row) => (row.ports === ports ? [] : row.ports.numbers))
  return spec.ports
    ?.filter(({ port, targetPort }) => ![port, targetPort].some((number) => others.includes(Number(number))))
    .find(({ name, targetPort }) => ports.names.includes(name ?? '') || ports.names.includes(String(targetPort)))?.port
}
