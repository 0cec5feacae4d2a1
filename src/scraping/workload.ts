/** A workload that serves its metrics over Istio mutual TLS: methods, ports, annotations. See docs/decisions/0017. */

import type { Resource } from '../cluster/cluster.ts'
import type { Code } from '../codes.ts'
import type { WorkloadObject } from '../workloads/workload-object.ts'

/** `native`: ports that the proxy opens (Istio 1.31 and newer). `sidecar`: a Sidecar and a PeerAuthentication; for a gateway, a Gateway object. */
export type Method = 'native' | 'sidecar'

/** Envoy's own metrics: https://istio.io/latest/docs/tasks/observability/metrics/secure-metrics/ */
export const ENVOY_PORT = 15091
/** Envoy's, the agent's and the application's, merged. */
export const MERGED_PORT = 15092
/** The method `sidecar` serves the merged metrics at this one port. */
export const SIDECAR_PORT = 15091
/** Envoy's own metrics in plaintext. */
const ENVOY_PLAINTEXT_PORT = 15090
/** The agent serves the merged metrics as plaintext at this port, independently of the pod's probes. */
export const AGENT_PORT = 15020
export const PLAINTEXT_PORTS = [ENVOY_PLAINTEXT_PORT, AGENT_PORT]
/** The path of the merged metrics, at all ports. */
export const METRICS_PATH = '/stats/prometheus'
/** Annotation that Istio's injector and agent read: https://istio.io/latest/docs/reference/config/annotations/ */
export const PROXY_CONFIG = 'proxy.istio.io/config'
/** Annotation of a pod: the port at which Prometheus scrapes it over mutual TLS. Istio's injector sets it only for native ports. */
export const SECURE_PORT = 'prometheus.istio.io/secure-port'

/** The method by which its pods serve their metrics over mutual TLS. @returns undefined if they do not */
export function methodIn({ spec }: WorkloadObject): Method | undefined {
  const port = spec.template.metadata?.annotations?.[SECURE_PORT]
  if (port === undefined) return undefined
  return port === String(MERGED_PORT) ? 'native' : 'sidecar'
}

export interface Workload {
  /** Deployments, StatefulSets or DaemonSets. */
  resource: Resource
  object: WorkloadObject
  /** The kind of proxy in its pods. */
  proxy: 'sidecar' | 'gateway'
  /** The version of the istiod that injects it, `1.31.0`; `undefined` if unknown. */
  istio: string | undefined
  /** How many pods it has now. */
  pods: number
}

/** Why a workload is skipped: a stable code and a text. */
export interface Skip {
  code: Code
  reason: string
}

export function skipped(code: Code, reason: string): { skip: Skip } {
  return { skip: { code, reason } }
}
