/** Ports that the proxy opens itself are beside Istio's policies: there a NetworkPolicy says that only Prometheus may reach them. Pure. */
import type { KubeObject } from '../../cluster/cluster.ts'
import { isOwned } from '../../cluster/ownership.ts'
import { NETWORK_POLICIES } from '../../cluster/resources.ts'
import { scrapingName } from '../../manifests/names.ts'
import { securePorts } from '../../manifests/network-policy.ts'
import type { Workload } from '../workload.ts'
import type { Planned, Scene } from './planner.ts'
import { ownLabels } from './selection.ts'

interface Selector {
  matchLabels?: Record<string, string>
  matchExpressions?: { key: string; operator: string; values?: string[] }[]
}

interface PolicyPort {
  protocol?: string
  port?: number | string
  endPort?: number
}

interface PolicySpec {
  podSelector?: Selector
  policyTypes?: string[]
  ingress?: { ports?: PolicyPort[] }[]
}

/** Nothing, when it was not asked for. @param ports that the proxy opens */
export function planOnlyPrometheus({ resource: { kind }, object }: Workload, scene: Scene, ports: number[]): Planned {
  const { onlyPrometheus: scraper } = scene.wishes
  if (scraper === undefined) return { writings: [] }
  const { name, namespace = '' } = object.metadata
  const labels = ownLabels(object, scene)
  if (labels === undefined)
    return skipped(
      'SELECTOR_SHARED',
      'no labels of its pods are theirs alone, so a NetworkPolicy would be for other pods as well',
    )
  const theirs = scene.others.filter((policy) =>
    isolates(policy, object.spec.template.metadata.labels ?? {}, namespace),
  )
  const wide = theirs.find(({ spec }) => admits(spec as PolicySpec, ports))
  if (wide !== undefined)
    return skipped(
      'NETWORK_POLICY_WIDE',
      `NetworkPolicy ${wide.metadata.name} lets others reach port ${ports.join(' and ')}, and policies add up: narrow it`,
    )
  const request = {
    name: scrapingName({ kind, name }),
    namespace,
    labels,
    ports,
    from: scraper,
    isolated: theirs.length > 0,
  }
  return { writings: [{ resource: NETWORK_POLICIES, manifest: securePorts(request), by: 'owning' }] }
}

/** Whether somebody else's policy says what may reach these pods. Ingress is meant where no type is named. */
function isolates(policy: KubeObject, labels: Record<string, string>, namespace: string): boolean {
  if (policy.kind !== 'NetworkPolicy' || policy.metadata.namespace !== namespace || isOwned(policy)) return false
  const { podSelector = {}, policyTypes = ['Ingress'] } = (policy.spec ?? {}) as PolicySpec
  return policyTypes.includes('Ingress') && selects(podSelector, labels)
}

/** Whether one of its rules is for one of the ports. One by name is for a port that a container has, which these are not. */
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

/** An empty selector takes every pod: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/ */
function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Record<string, string>): boolean {
  return (
    Object.entries(matchLabels).every(([name, value]) => labels[name] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key]
      if (operator === 'Exists') return value !== undefined
      if (operator === 'DoesNotExist') return value === undefined
      const listed = value !== undefined && values.includes(value)
      return operator === 'In' ? listed : !listed
    })
  )
}

function skipped(code: string, reason: string): Planned {
  return { skip: { code, reason } }
}
