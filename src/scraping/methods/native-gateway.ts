/** Native ports of a gateway, Istio 1.31 and newer. A gateway captures no traffic, so no port has to be excluded. Pure. */

import { ENVOY_PORT, MERGED_PORT, SECURE_PORT } from '../workload.ts'
import { gatewayVariables } from './hardening.ts'
import { NATIVE_PORTS } from './native-ports.ts'
import { planOnlyPrometheus } from './only-prometheus.ts'
import type { Planner } from './planner.ts'
import { planTemplate } from './template.ts'

export const planNativeGateway: Planner = (workload, scene) => {
  const annotations = { [SECURE_PORT]: String(MERGED_PORT) }
  const template = planTemplate(workload, { annotations, ...gatewayVariables(workload, scene, NATIVE_PORTS) })
  if ('skip' in template) return template
  const closed = planOnlyPrometheus(workload, scene, [ENVOY_PORT, MERGED_PORT])
  return 'skip' in closed ? closed : { writings: [...closed.writings, template] }
}
