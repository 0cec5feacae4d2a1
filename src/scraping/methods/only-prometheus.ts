/** Istio's policies do not apply to native ports, so a NetworkPolicy lets only Prometheus reach them. Pure. */

import type { KubeObject } from '../../cluster/cluster.ts'
import { isSelected, type LabelSelector } from '../../cluster/label-selector.ts'
import { isOwnedBy, SCRAPING } from '../../cluster/ownership.ts'
import { NETWORK_POLICIES } from '../../cluster/resources.ts'
import { scrapingName } from '../../manifests/names.ts'
import { securePorts } from '../../manifests/network-policy.ts'
import { skipped, type Workload } from '../workload.ts'
import type { PlanResult, Scene } from './planner.ts'
import { ownLabels } from './selection.ts'
import { selectorShared } from './skips.ts'

interface PolicyPort {
  protocol?: string
  port?: number | string
  endPort?: number
}

interface PolicySpec {
  podSelector?: LabelSelector
  policyTypes?: string[]
  ingress?: { ports?: PolicyPort[] }[]
}

/** @param ports the native ports. @returns nothing to write without --only-prometheus */
export function planOnlyPrometheus(
  { resource: { kind }, object }: Workload,
  scene: Scene,
  ports: number[],
): PlanResult {
  const { onlyPrometheus: scraper } = scene.options
  if (scraper === undefined) return { writings: [] }
  const { name, namespace = '' } = object.metadata
  const labels = ownLabels(object, scene)
  if (labels === undefined) return { skip: selectorShared('a NetworkPolicy') }
  const usersPolicies = scene.objects.filter((policy) =>
    isolates(policy, object.spec.template.metadata.labels ?? {}, namespace),
  )
  const admitting = usersPolicies.find(({ spec }) => admits(spec as PolicySpec, ports))
  if (admitting !== undefined)
    return skipped(
      'NETWORK_POLICY_WIDE',
      `NetworkPolicy ${admitting.metadata.name} allows others to reach port ${ports.join(' and ')}, and NetworkPolicies only add access: restrict it`,
    )
  const request = {
    name: scrapingName({ kind, name }),
    namespace,
    labels,
    ports,
    from: scraper,
    hasOtherPolicies: usersPolicies.length > 0,
  }
  return { writings: [{ resource: NETWORK_POLICIES, manifest: securePorts(request), by: 'owning' }] }
}

/** Whether a user's policy restricts what may reach these pods. A policy without types is for ingress. */
function isolates(policy: KubeObject, labels: Record<string, string>, namespace: string): boolean {
  if (policy.kind !== 'NetworkPolicy' || policy.metadata.namespace !== namespace || isOwnedBy(policy, SCRAPING))
    return false
  const { podSelector, policyTypes = ['Ingress'] } = (policy.spec ?? {}) as PolicySpec
  return policyTypes.includes('Ingress') && isSelected(labels, podSelector)
}

/** Whether one of its rules admits one of the ports. A named port is a port of a container, and the native ports are not. */
function admits({ ingress = [] }: PolicySpec, ports: number[]): boolean {
  return ingress.some(({ ports: named = [] }) => {
    if (named.length === 0) return true
    return named.some(({ protocol = 'TCP', port, endPort }) => {
      if (protocol !== 'TCP') return false
      if (port === undefined) return true
      return typeof port === 'number' && ports.some((one) => port <= one && one <= (endPort ?? port))
    })
  })
}
