/** How many pods of a workload have its present template: the same fields that `kubectl rollout status` reads. */
import type { ContainerStatus, Pod } from '../cluster/objects.ts'
import type { WorkloadObject } from './workload-object.ts'

export interface Rollout {
  /** Every pod has the present template and is available, and no pod of an earlier template is left. */
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
  // The status of a StatefulSet lacks updatedReplicas if there are none.
  return { done: seen && updated >= wanted && ready >= wanted && replicas <= updated, updated, ready, wanted }
}

/** Reasons of containers that no waiting repairs: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/images/types.go */
const REFUSED_IMAGE = ['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull']
const REFUSED_START = ['CreateContainerConfigError', 'CreateContainerError']

/** Why pods of a workload cannot be created, in the words of its controller: quota, PodSecurity, a webhook. */
export function creationRefused({ status }: WorkloadObject): string | undefined {
  const failure = status?.conditions?.find(({ type, status: is }) => type === 'ReplicaFailure' && is === 'True')
  return failure && [failure.reason, failure.message].filter(Boolean).join(': ')
}

/** Why a pod that exists does not start, if that is a refusal: its image, its configuration. */
export function startRefused(pods: Pod[]): string | undefined {
  const isRefused = ({ state }: ContainerStatus) =>
    [...REFUSED_IMAGE, ...REFUSED_START].includes(state?.waiting?.reason ?? '')
  return complaintOf(pods.filter(({ status }) => statusesOf(status).some(isRefused)))
}

/** The first container that has crashed. `previous`: its log is that of the run before. */
export function crashOf(pods: Pod[]): { pod: Pod; container: string; previous: boolean } | undefined {
  for (const pod of pods) {
    const crashed = statusesOf(pod.status).find(({ state, lastState }) => hasCrashed(state) || hasCrashed(lastState))
    if (crashed !== undefined) return { pod, container: crashed.name, previous: !hasCrashed(crashed.state) }
  }
  return undefined
}

function hasCrashed(state: ContainerStatus['state']): boolean {
  return (state?.terminated?.exitCode ?? 0) !== 0
}

function statusesOf(status: Pod['status']): ContainerStatus[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
}

/** Why pods are not ready, in Kubernetes' words: the reason of the first pod that has one. */
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
  return (
    statusesOf(status)
      .map(containerComplaint)
      .find((why) => why !== undefined) ?? unready(status)
  )
}

/** PodInitializing and ContainerCreating are no reasons: they only show that the pod waits for something else. */
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
