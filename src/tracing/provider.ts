/** Which provider of the mesh configuration leads to a tracing backend, in each revision. Pure. */
import type { Collector } from '../backends/collectors.ts'
import type { Provider } from './configuration.ts'
import type { Revision } from './facts.ts'
import { PROVIDER_NAME } from './mesh-text.ts'

/** The provider of one revision. */
export interface RevisionProvider {
  revision: Revision
  name: string
  collector: Collector
  /** Whether its mesh configuration has it already, so that nothing has to be added. */
  isThere: boolean
}

/**
 * One name for all revisions, because one Telemetry is for all of them: that of a provider which all of them have and which leads to the
 * backend, else ours.
 * @param collectors of the backend, the best one first
 */
export function chooseProviders(
  revisions: readonly Revision[],
  collectors: readonly [Collector, ...Collector[]],
): RevisionProvider[] {
  const [best] = collectors
  const common = revisions.map((one) => leading(one, collectors))
  const names = (common[0] ?? []).map(({ name }) => name)
  const name = names.find((one) => common.every((found) => found.some((other) => other.name === one))) ?? PROVIDER_NAME
  return revisions.map((revision, index) => {
    const present = common[index]?.find((one) => one.name === name)
    return { revision, name, collector: present?.collector ?? best, isThere: present !== undefined }
  })
}

/** Its providers that lead to one of the collectors; of ours only one that leads to the best. */
function leading(
  { configuration: { providers } }: Revision,
  collectors: readonly Collector[],
): { name: string; collector: Collector }[] {
  return providers.flatMap((provider) => {
    const collector = collectors.find((one) => leadsTo(provider, one))
    const isWanted = collector !== undefined && (provider.name !== PROVIDER_NAME || collector === collectors[0])
    return isWanted ? [{ name: provider.name, collector }] : []
  })
}

/** Whether a provider sends to this port of a Service. */
export function leadsTo({ kind, service, port }: Provider, collector: Collector): boolean {
  // `HOST` or `NAMESPACE/HOST`
  const [name, namespace] = service.slice(service.indexOf('/') + 1).split('.')
  return (
    kind === collector.protocol &&
    port === collector.port &&
    name === collector.service &&
    namespace === collector.namespace
  )
}
