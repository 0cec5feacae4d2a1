/** Where an add-on runs: pure, over the Services of the cluster. */
import type { Service, ServicePort } from '../cluster/objects.ts'
import type { Addon } from './catalog.ts'

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
  const byLabels = addon.labels.map((labels) => services.filter((service) => carries(service, labels)))
  for (const candidates of [annotated, ...byLabels]) {
    const found = candidates.flatMap((service) => {
      const port = pagePort(addon, service.spec.ports ?? [])
      return port === undefined ? [] : [{ addon, service, namespace: service.metadata.namespace ?? '', port }]
    })
    if (found.length > 0) return onePerWorkload(found)
  }
  return []
}

/** On the Service itself, or in its selector: Istio's tracing Services are told apart by that alone. */
function carries({ metadata, spec }: Service, labels: Record<string, string>): boolean {
  return [metadata.labels, spec.selector].some((carried) =>
    Object.entries(labels).every(([name, value]) => carried?.[name] === value),
  )
}

/** Several Services in front of the same pods (Zipkin's `tracing` and `zipkin`) are one add-on; one with an address of its own is best. */
function onePerWorkload(found: FoundAddon[]): FoundAddon[] {
  const headless = ({ service }: FoundAddon) => Number(service.spec.clusterIP === 'None')
  const workload = ({ namespace, service }: FoundAddon) =>
    JSON.stringify([namespace, Object.entries(service.spec.selector ?? {}).sort()])
  const ranked = found.toSorted((a, b) => headless(a) - headless(b))
  return ranked.filter((one, index) => ranked.findIndex((other) => workload(other) === workload(one)) === index)
}

/** The port of the pages: by number (on the Service or behind it), else by name. */
function pagePort(addon: Addon, ports: ServicePort[]): number | undefined {
  const { numbers, names } = addon.ports
  const byNumber = ports.find(
    ({ port, targetPort }) =>
      numbers.includes(port) || (typeof targetPort === 'number' && numbers.includes(targetPort)),
  )
  const byName = ports.find(({ name, targetPort }) => names.includes(name ?? '') || names.includes(String(targetPort)))
  return (byNumber ?? byName)?.port
}
