import { ENVOY_PORT, MERGED_PORT } from '../workload.ts'

/** Variables with which the proxy opens its native ports, Istio 1.31 and newer. */
export const NATIVE_PORTS = {
  ENVOY_SECURE_METRICS_PORT: String(ENVOY_PORT),
  ENVOY_SECURE_MERGED_METRICS_PORT: String(MERGED_PORT),
}

/** With this variable 15090 and 15020 answer only their own pod. Istio 1.22 and newer read it, so both methods use it. */
export const LOCALHOST_ONLY = { METRICS_LOCALHOST_ACCESS_ONLY: 'true' }
