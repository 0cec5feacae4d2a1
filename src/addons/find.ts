/** Finds add-ons among the Services of the cluster: pure. */
import { isStaying, type Service } from '../cluster/objects.ts'
import type { Addon } from './addon.ts'
import { rowsOf } from './catalog.ts'

export interface FoundAddon {
  addon: Addon
  service: Service
  namespace: string
  port: number
  /** Only the annotation says so: no Service of the namespace has the labels. */
  marked?: true
}

/** Users mark the Service of an add-on with this annotation if labels do not identify it. */
export const ADDON_ANNOTATION = 'kubectl-telemetry/addon'

/**
 * Every Service that serves the add-on: in each namespace the annotated ones, else those with the first label set that matches there.
 * Namespaces are independent: an add-on of one chart does not hide that of another chart elsewhere, and objects that tenants write in
 * their namespace do not affect other namespaces. Labels and annotations are hints: with several candidates the user chooses.
 */
export function findAddon(addon: Addon, services: Service[]): FoundAddon[] {
  const staying = services.filter(isStaying)
  const namespaces = new Set(staying.map(({ metadata }) => metadata.namespace))
  return [...namespaces].flatMap((namespace) =>
    findIn(
      addon,
      staying.filter(({ metadata }) => metadata.namespace === namespace),
    ),
  )
}

/** @param services of one namespace */
function findIn(addon: Addon, services: Service[]): FoundAddon[] {
  const annotated = services.filter(({ metadata }) => metadata.annotations?.[ADDON_ANNOTATION] === addon.name)
  const marked = rowsOf(addon.name).flatMap((row) =>
    fitting(
      row,
      annotated.filter((service) => rowOf(service, row.name) === row),
    ),
  )
  if (marked.length > 0) {
    const isMarked = !rowsOf(addon.name).some((row) => labelled(row, services).length > 0)
    const own = marked.filter((found) => found.addon === addon)
    return isMarked ? own.map((found) => ({ ...found, marked: true })) : own
  }
  return labelled(addon, services)
}

function labelled(addon: Addon, services: Service[]): FoundAddon[] {
  for (const labels of addon.labels) {
    const found = fitting(
      addon,
      services.filter((service) => hasLabels(service, labels)),
    )
    if (found.length > 0) return found
  }
  return []
}

/** Of several rows of one name, the row whose labels the Service has, else the row whose port it has. */
function rowOf(service: Service, name: string): Addon | undefined {
  const rows = rowsOf(name)
  const byLabels = rows.find((row) => row.labels.some((labels) => hasLabels(service, labels)))
  return byLabels ?? rows.find((row) => portByNumber(row, service) !== undefined) ?? rows[0]
}

/** Candidates with a port for the pages, one for each workload. A known port number ranks before a known name, headless last. */
function fitting(addon: Addon, candidates: Service[]): FoundAddon[] {
  const rank = ({ service }: FoundAddon) =>
    Number(portByNumber(addon, service) === undefined) * 2 + Number(service.spec.clusterIP === 'None')
  const found = candidates.flatMap((service) => {
    const port = portByNumber(addon, service) ?? portByName(addon, service)
    return port === undefined ? [] : [{ addon, service, namespace: service.metadata.namespace ?? '', port }]
  })
  return onePerWorkload(found.toSorted((a, b) => rank(a) - rank(b)))
}

/** On the Service itself, or in its selector: only the selector distinguishes Istio's tracing Services. */
function hasLabels({ metadata, spec }: Service, labels: Record<string, string>): boolean {
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

/** A known port number of the Service, or of the pods behind it. */
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
