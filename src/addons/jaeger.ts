/** Where Kiali finds a Jaeger to ask. Pure. */
import type { Service } from '../cluster/objects.ts'
import { rowsOf } from './catalog.ts'
import { type FoundAddon, findAddon } from './find.ts'
import type { JaegerAddress } from './links.ts'

/** In the sample of Jaeger, the port of its gRPC API, which Kiali uses. */
export const JAEGER_GRPC = 16685

/** The Jaeger of a namespace; undefined if it has none, or another tracing backend as well: Kiali would show the traces of one, and link to the other. */
export function jaegerIn(namespace: string, services: Service[]): FoundAddon | undefined {
  const found = rowsOf('tracing')
    .flatMap((row) => findAddon(row, services))
    .filter((one) => one.namespace === namespace && one.marked !== true)
  const [first] = found
  return found.length === 1 && first?.addon.title === 'Jaeger' ? first : undefined
}

/** @param path of Jaeger's pages, without a slash at the end */
export function jaegerAddress({ service, namespace, port }: FoundAddon, path: string): JaegerAddress {
  const grpc = service.spec.ports?.some((one) => one.port === JAEGER_GRPC) ?? false
  return { url: `http://${service.metadata.name}.${namespace}:${grpc ? JAEGER_GRPC : port}${path}`, grpc }
}
