/** Where an add-on runs: pure, over the Services of the cluster. */
import type { Service, ServicePort } from '../cluster/objects.ts'
import { matchesSelector } from '../cluster/objects.ts'
import type { Addon } from './catalog.ts'

export interface FoundAddon {
  addon: Addon
  service: Service
  namespace: string
  port: number
}

/** Every Service that serves the add-on, by the first label set that is found. Namespace and port are those of the Service. */
export function findAddon(addon: Addon, services: Service[]): FoundAddon[] {
  for (const labels of addon.labels) {
    const found = services
      .filter((service) => matchesSelector(service, labels))
      .flatMap((service) => {
        const port = pagePort(addon, service.spec.ports ?? [])
        return port === undefined ? [] : [{ addon, service, namespace: service.metadata.namespace ?? '', port }]
      })
    if (found.length > 0) return found
  }
  return []
}

/** The port of the pages: by number (on the Service or behind it), by name, or the only one there is. */
function pagePort(addon: Addon, ports: ServicePort[]): number | undefined {
  const { numbers, names } = addon.ports
  const byNumber = ports.find(
    ({ port, targetPort }) =>
      numbers.includes(port) || (typeof targetPort === 'number' && numbers.includes(targetPort)),
  )
  const byName = ports.find(({ name, targetPort }) => names.includes(name ?? '') || names.includes(String(targetPort)))
  const only = ports.length === 1 ? ports[0] : undefined
  return (byNumber ?? byName ?? only)?.port
}
