/** A workload's own sidecar serves its metrics over mutual TLS: annotations of its pod template. Istio 1.31 and newer. Pure. */
import { ENVOY_PORT, MERGED_PORT, SECURE_PORT } from '../workload.ts'
import { hardening } from './hardening.ts'
import { NATIVE_PORTS } from './native-ports.ts'
import { planOnlyPrometheus } from './only-prometheus.ts'
import type { Planner } from './planner.ts'
import { planTemplate } from './template.ts'

export const planNativeSidecar: Planner = (workload, scene) => {
  const template = planTemplate(workload, {
    annotations: { [SECURE_PORT]: String(MERGED_PORT) },
    proxyMetadata: { ...NATIVE_PORTS, ...hardening(workload, scene) },
    // Captured, STRICT would end the mutual TLS that the native listener expects.
    excludedPorts: [ENVOY_PORT, MERGED_PORT],
  })
  if ('skip' in template) return template
  // Before the ports are there.
  const policy = planOnlyPrometheus(workload, scene, [ENVOY_PORT, MERGED_PORT])
  return 'skip' in policy ? policy : { writings: [...policy.writings, template] }
}
