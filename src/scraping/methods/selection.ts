/** Which pods a selector of Istio selects, and which labels select only the pods of one workload. Pure. */
import type { KubeObject } from '../../cluster/cluster.ts'
import { hasEnded, matchesSelector, type Pod } from '../../cluster/objects.ts'
import type { WorkloadObject } from '../../workloads/workload-object.ts'
import { created } from './inbound-ports.ts'
import type { Scene } from './planner.ts'

type Labels = Record<string, string>

/**
 * Labels that every pod of the workload has, and no other pod of the namespace: its own selector, or all labels of its template if that
 * selector also selects other pods (two Deployments that share `app`).
 * @param within the selector of an object that will open a port. The labels select every pod that it selects, also pods that come later
 */
export function ownLabels(
  { spec }: WorkloadObject,
  { neighbours }: Pick<Scene, 'neighbours'>,
  within?: Labels,
): Labels | undefined {
  const template = spec.template.metadata.labels ?? {}
  const candidates = [
    spec.selector?.matchLabels ?? {},
    template,
    ...(within !== undefined && isWithin(template, within) ? [within] : []),
  ]
  return candidates.find(
    (labels) =>
      Object.keys(labels).length > 0 &&
      (within === undefined || isWithin(within, labels)) &&
      !neighbours.some((pod) => !hasEnded(pod) && matchesSelector(pod, labels)),
  )
}

/** Whether every pod with the labels `all` is selected by `some`. */
function isWithin(all: Labels, some: Labels): boolean {
  return Object.entries(some).every(([name, value]) => all[name] === value)
}

/** Whether labels select a pod of the workload, a present one or one of the new template. */
export function takes(labels: Labels | undefined, { spec }: WorkloadObject, pods: Pod[]): boolean {
  return [spec.template, ...pods].some((pod) => matchesSelector(pod, labels))
}

/** Whether labels select a pod of another workload. */
export function takesOthers(labels: Labels, { neighbours }: Pick<Scene, 'neighbours'>): boolean {
  return neighbours.some((pod) => !hasEnded(pod) && matchesSelector(pod, labels))
}

/** If several objects apply to the same pods, Istio uses the oldest; of the same second, the first by name. */
export function oldest<T extends KubeObject>(objects: T[]): T | undefined {
  const age = (object: T) => `${created(object)} ${object.metadata.name}`
  return [...objects].sort((a, b) => (age(a) < age(b) ? -1 : 1))[0]
}
