/** Which pods a selector of Istio's takes, and which labels take the pods of one workload alone. Pure. */
import type { KubeObject } from '../../cluster/cluster.ts'
import { matchesSelector, type Pod } from '../../cluster/objects.ts'
import type { WorkloadObject } from '../workload.ts'
import { created } from './inbound-ports.ts'
import type { Scene } from './planner.ts'

type Labels = Record<string, string>

/**
 * Labels that every pod of the workload has, and no other pod of the namespace: its own selector, or all labels of its template where
 * that selector takes others' pods too (two Deployments that share `app`).
 */
export function ownLabels({ spec }: WorkloadObject, { neighbours }: Pick<Scene, 'neighbours'>): Labels | undefined {
  const candidates = [spec.selector?.matchLabels ?? {}, spec.template.metadata.labels ?? {}]
  return candidates.find(
    (labels) =>
      Object.keys(labels).length > 0 && !neighbours.some((pod) => isThere(pod) && matchesSelector(pod, labels)),
  )
}

/** Whether labels take a pod of the workload, now or after it has been replaced. */
export function takes(labels: Labels | undefined, { spec }: WorkloadObject, pods: Pod[]): boolean {
  return [spec.template, ...pods].some((pod) => matchesSelector(pod, labels))
}

/** Whether labels take a pod of somebody else's. */
export function takesOthers(labels: Labels, { neighbours }: Pick<Scene, 'neighbours'>): boolean {
  return neighbours.some((pod) => isThere(pod) && matchesSelector(pod, labels))
}

/** Of several objects that want the same, Istio takes the oldest; of the same second, the first by name. */
export function oldest<T extends KubeObject>(objects: T[]): T | undefined {
  const age = (object: T) => `${created(object)} ${object.metadata.name}`
  return [...objects].sort((a, b) => (age(a) < age(b) ? -1 : 1))[0]
}

/** A pod that has ended selects nothing any more. */
function isThere({ status }: Pod): boolean {
  return status?.phase !== 'Succeeded' && status?.phase !== 'Failed'
}
