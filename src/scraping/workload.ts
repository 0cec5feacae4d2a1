/** What is made to serve its metrics over Istio mutual TLS, and what is planned for it. Words of docs/decisions/0017. */
import type { KubeObject, Resource } from '../cluster/cluster.ts'
import type { Deployment } from '../cluster/objects.ts'

/** `native`: ports that the proxy opens itself (Istio 1.31 and newer). `sidecar`: a Sidecar and a PeerAuthentication, or, at a gateway, a Gateway of its own. */
export type Method = 'native' | 'sidecar'

/** Envoy's own metrics: https://istio.io/latest/docs/tasks/observability/metrics/secure-metrics/ */
export const ENVOY_PORT = 15091
/** Envoy's, the agent's and the application's, merged. */
export const MERGED_PORT = 15092
/** With the method `sidecar` this one port serves the merged metrics. */
export const SIDECAR_PORT = 15091
/** What the agent serves the merged metrics at, whichever way one comes in. */
export const METRICS_PATH = '/stats/prometheus'
/** On a pod: the port at which its metrics are scraped over mutual TLS. Istio's injector sets it for native ports, and we for all. */
export const SECURE_PORT = 'prometheus.istio.io/secure-port'

/** An object with a pod template: what a Deployment, a StatefulSet or a DaemonSet has of it. */
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

/** By which method its pods are made to serve their metrics. @returns undefined when they are not */
export function methodIn({ spec }: WorkloadObject): Method | undefined {
  const port = spec.template.metadata?.annotations?.[SECURE_PORT]
  if (port === undefined) return undefined
  return port === String(MERGED_PORT) ? 'native' : 'sidecar'
}

export interface Workload {
  /** Deployments, StatefulSets or DaemonSets. */
  resource: Resource
  object: WorkloadObject
  /** What of Istio runs in its pods. */
  proxy: 'sidecar' | 'gateway'
  /** Of the istiod that injects it, `1.31.0`; `undefined` when nobody says. */
  istio: string | undefined
  /** How many pods it has now. */
  pods: number
}

/** Why a workload is left alone: a stable code, and the words. */
export interface Skip {
  code: string
  reason: string
}
