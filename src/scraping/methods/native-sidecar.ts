/** Native ports of a sidecar: annotations of the pod template. Istio 1.31 and newer. Pure. */

import { ENVOY_PORT, MERGED_PORT, SECURE_PORT } from '../workload.ts'
import { keptPorts } from './capture.ts'
import { hardening } from './hardening.ts'
import { NATIVE_PORTS } from './native-ports.ts'
import { planOnlyPrometheus } from './only-prometheus.ts'
import type { Planner } from './planner.ts'
import { planTemplate } from './template.ts'

export const planNativeSidecar: Planner = (workload, scene) => {
  const kept = keptPorts(workload, scene)
  if ('skip' in kept) return kept
  const template = planTemplate(workload, {
    annotations: { [SECURE_PORT]: String(MERGED_PORT) },
    proxyMetadata: { ...NATIVE_PORTS, ...hardening(workload, scene) },
    // If the ports were captured, STRICT would terminate the mutual TLS that the native listener expects.
    excludedPorts: [...kept.ports, ...Object.values(NATIVE_PORTS)],
  })
  if ('skip' in template) return template
  // The policy is written before the ports open.
  const policy = planOnlyPrometheus(workload, scene, [ENVOY_PORT, MERGED_PORT])
  return 'skip' in policy ? policy : { writings: [...policy.writings, template] }
}
