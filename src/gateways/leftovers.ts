/** What is left of an exposure whose Gateway was deleted by something else than cleanup: nothing is served, and nothing else says so. Pure. */
import { argumentsFor, serviceNamed } from '../addons/service-name.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { componentOf } from '../cluster/ownership.ts'
import { type Finding, fails } from '../findings.ts'
import { sh } from '../shell.ts'
import type { OwnObjects } from './own-objects.ts'

/**
 * One finding for each namespace with such objects. Kinds that may not be listed were not searched; cert-manager's Certificates are
 * never left without a VirtualService, unless that was deleted too.
 */
export function leftoversIn({ gateways, ...own }: OwnObjects): Finding[] {
  const lists: (KubeObject[] | undefined)[] = [
    ...[own.virtualServices, own.policies, own.filters],
    ...[own.secrets, own.services],
  ]
  const live = [...new Set(gateways.map(namespaceOf))]
  const left = lists.flatMap((list) => list ?? []).filter((object) => !live.includes(namespaceOf(object)))
  return [...new Set(left.map(namespaceOf))].sort().map((one) =>
    finding(
      one,
      left.filter((object) => namespaceOf(object) === one),
      live,
    ),
  )
}

/** @param live namespaces that cleanup would empty as well */
function finding(namespace: string, objects: KubeObject[], live: string[]): Finding {
  const names = objects.map(({ kind, metadata }) =>
    kind === 'Service' ? `ports in Service ${metadata.name}` : `${kind} ${metadata.name}`,
  )
  const addons = objects.filter(({ kind }) => kind === 'VirtualService').flatMap((object) => componentOf(object) ?? [])
  return fails(
    'EXPOSURE_LEFTOVERS',
    `the Gateway in namespace ${namespace} was deleted, and other objects of kubectl telemetry are left there: ${names.join(', ')}`,
    live.length === 0
      ? 'kubectl telemetry cleanup   # removes them'
      : sh`kubectl telemetry cleanup   # removes them, and what is exposed in namespace ${live.join(',')}`,
    ...commandsFor(addons).map((words) => sh`kubectl telemetry expose ${words}   # serves them again`),
  )
}

/** One for all add-ons, and one for each Service: each has a namespace. */
function commandsFor(names: readonly string[]): string[][] {
  const addons = names.filter((name) => serviceNamed(name) === undefined)
  const services = names.filter((name) => !addons.includes(name)).map(argumentsFor)
  return addons.length === 0 ? services : [addons, ...services]
}

function namespaceOf({ metadata }: KubeObject): string {
  return metadata.namespace ?? ''
}
