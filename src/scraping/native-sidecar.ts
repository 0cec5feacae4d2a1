/** A workload's own sidecar serves its metrics over mutual TLS: annotations of its pod template. Istio 1.31 and newer. */
import { changedForScraping } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import type { Planned, Scene } from './plan.ts'
import { ENVOY_PORT, MERGED_PORT, METRICS_PATH, SECURE_PORT, type Workload } from './workload.ts'

/** What Istio's injector reads: https://istio.io/latest/docs/reference/config/annotations/ */
export const PROXY_CONFIG = 'proxy.istio.io/config'
/** Ports that the kernel does not lead to Envoy's inbound listener: there STRICT would end the mutual TLS that the native listener expects. */
export const EXCLUDED_PORTS = 'traffic.sidecar.istio.io/excludeInboundPorts'
const METRICS_PATH_ANNOTATION = 'prometheus.istio.io/path'

export function planNativeSidecar({ resource, object }: Workload, _scene: Scene): Planned {
  const { name, namespace } = object.metadata
  const annotations = {
    [PROXY_CONFIG]: `proxyMetadata:\n  ENVOY_SECURE_METRICS_PORT: "${ENVOY_PORT}"\n  ENVOY_SECURE_MERGED_METRICS_PORT: "${MERGED_PORT}"\n`,
    [EXCLUDED_PORTS]: `${ENVOY_PORT},${MERGED_PORT}`,
    [SECURE_PORT]: String(MERGED_PORT),
    [METRICS_PATH_ANNOTATION]: METRICS_PATH,
  }
  const manifest = {
    ...typeOf(resource),
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: changedForScraping() },
    spec: { template: { metadata: { annotations } } },
  }
  return { writings: [{ resource, manifest, by: 'sharing', saying: 'restart' }] }
}
