/** A workload's own sidecar serves its metrics over mutual TLS: annotations of its pod template. Istio 1.31 and newer. */
import { changedForScraping, withoutApplied } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import type { Planned, Scene } from './plan.ts'
import { ENVOY_PORT, MERGED_PORT, SECURE_PORT, type Workload, type WorkloadObject } from './workload.ts'

/** What Istio's injector reads: https://istio.io/latest/docs/reference/config/annotations/ */
export const PROXY_CONFIG = 'proxy.istio.io/config'
/** Ports that the kernel does not lead to Envoy's inbound listener: there STRICT would end the mutual TLS that the native listener expects. */
export const EXCLUDED_PORTS = 'traffic.sidecar.istio.io/excludeInboundPorts'
const LOCALHOST_ONLY = 'METRICS_LOCALHOST_ACCESS_ONLY'

export function planNativeSidecar({ resource, object }: Workload, { wishes }: Scene): Planned {
  const { name, namespace } = object.metadata
  const theirs = annotationsOf(withoutApplied(object) as WorkloadObject)
  const own = [PROXY_CONFIG, EXCLUDED_PORTS, SECURE_PORT].find((one) => theirs[one] !== undefined)
  if (own !== undefined)
    return { skip: { code: 'ANNOTATED', reason: `its pods have an annotation ${own} of their own` } }
  const annotations = nativeAnnotations(wishes.harden || isHardened(object))
  const manifest = {
    ...typeOf(resource),
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: changedForScraping() },
    spec: { template: { metadata: { annotations } } },
  }
  return { writings: [{ resource, manifest, by: 'sharing', saying: 'restart' }] }
}

function nativeAnnotations(hardened: boolean): Record<string, string> {
  const environment = [
    `ENVOY_SECURE_METRICS_PORT: "${ENVOY_PORT}"`,
    `ENVOY_SECURE_MERGED_METRICS_PORT: "${MERGED_PORT}"`,
    ...(hardened ? [`${LOCALHOST_ONLY}: "true"`] : []),
  ]
  return {
    [PROXY_CONFIG]: ['proxyMetadata:', ...environment.map((line) => `  ${line}`), ''].join('\n'),
    [EXCLUDED_PORTS]: `${ENVOY_PORT},${MERGED_PORT}`,
    [SECURE_PORT]: String(MERGED_PORT),
  }
}

/** What was closed stays closed when the command is run again without --harden. */
function isHardened(object: WorkloadObject): boolean {
  return annotationsOf(object)[PROXY_CONFIG]?.includes(LOCALHOST_ONLY) ?? false
}

function annotationsOf({ spec }: WorkloadObject): Record<string, string> {
  return spec?.template?.metadata?.annotations ?? {}
}
