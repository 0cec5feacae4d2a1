/** How far the pods of a workload have followed its template: what `kubectl rollout status` looks at. */
import type { ContainerStatus, Pod } from '../cluster/objects.ts'
import type { WorkloadObject } from '../scraping/workload.ts'

export interface Rollout {
  /** Every pod is of the present template, and available; none of an earlier one is left. */
  done: boolean
  updated: number
  ready: number
  wanted: number
}

export function rolloutOf({ kind, metadata, spec, status = {} }: WorkloadObject): Rollout {
  const { generation } = metadata as { generation?: number }
  const seen = (status.observedGeneration ?? 0) >= (generation ?? 0)
  if (kind === 'DaemonSet') {
    const {
      desiredNumberScheduled: wanted = 0,
      updatedNumberScheduled: updated = 0,
      numberAvailable: ready = 0,
    } = status
    return { done: seen && updated >= wanted && ready >= wanted, updated, ready, wanted }
  }
  const { replicas: wanted = 1 } = spec
  const { replicas = 0, updatedReplicas: updated = 0, availableReplicas: ready = 0 } = status
  // A StatefulSet's updatedReplicas is left out of its status when there are none.
  return { done: seen && updated >= wanted && ready >= wanted && replicas <= updated, updated, ready, wanted }
}

/** Why pods are not ready, in the words of Kubernetes: that of the first pod for which there is one. */
export function complaintOf(pods: Pod[]): string | undefined {
  for (const pod of pods) {
    const why = podComplaint(pod)
    if (why !== undefined) return `pod ${pod.metadata.name}: ${why}`
  }
  return undefined
}

function podComplaint({ status = {} }: Pod): string | undefined {
  const unscheduled = status.conditions?.find(({ type, status }) => type === 'PodScheduled' && status === 'False')
  if (unscheduled !== undefined) return [unscheduled.reason, unscheduled.message].filter(Boolean).join(': ')
  const containers = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]
  return containers.map(containerComplaint).find((why) => why !== undefined) ?? unready(status)
}

/** PodInitializing and ContainerCreating say only that something else is waited for. */
function containerComplaint({ name, state = {}, lastState = {} }: ContainerStatus): string | undefined {
  const { waiting, terminated } = state
  if (waiting?.reason !== undefined && !['PodInitializing', 'ContainerCreating'].includes(waiting.reason))
    return [`container ${name} ${waiting.reason}`, waiting.message].filter(Boolean).join(': ')
  const ended = terminated ?? lastState.terminated
  if (ended === undefined || ended.exitCode === 0) return undefined
  return `container ${name} ended with exit code ${ended.exitCode} (${ended.reason ?? 'Error'})`
}

function unready({ conditions = [] }: NonNullable<Pod['status']>): string | undefined {
  const not = conditions.find(({ type, status }) => type === 'Ready' && status === 'False')
  return not === undefined ? undefined : ['not ready', not.message ?? not.reason].filter(Boolean).join(': ')
}
