/** A workload as the API server returns it. */
import type { KubeObject } from '../cluster/cluster.ts'
import type { Deployment } from '../cluster/objects.ts'

/** An object with a pod template: the common fields of a Deployment, a StatefulSet and a DaemonSet. */
export interface WorkloadObject extends KubeObject {
  spec: Deployment['spec'] & {
    replicas?: number
    selector?: { matchLabels?: Record<string, string> }
    /** A Deployment. */
    paused?: boolean
    /** A StatefulSet, a DaemonSet. */
    updateStrategy?: { type?: string; rollingUpdate?: { partition?: number } }
  }
  status?: {
    observedGeneration?: number
    replicas?: number
    updatedReplicas?: number
    readyReplicas?: number
    availableReplicas?: number
    desiredNumberScheduled?: number
    updatedNumberScheduled?: number
    numberAvailable?: number
    conditions?: { type: string; status: string; reason?: string; message?: string }[]
  }
}
