import { ENVOY_PORT, MERGED_PORT } from '../workload.ts'

/** Variables by which the proxy opens its own ports, since Istio 1.31. */
export const NATIVE_PORTS = {
  ENVOY_SECURE_METRICS_PORT: String(ENVOY_PORT),
  ENVOY_SECURE_MERGED_METRICS_PORT: String(MERGED_PORT),
}

/** The only variable that the old method knows: 15090 and 15020 answer this pod alone. Read since Istio 1.22. */
export const LOCALHOST_ONLY = { METRICS_LOCALHOST_ACCESS_ONLY: 'true' }
