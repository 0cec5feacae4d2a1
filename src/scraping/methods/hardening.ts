/** Closes the plaintext ports, 15090 and 15020, to other pods. Pure. */

import { PROXY_CONTAINER } from '../../workloads/proxy.ts'
import type { WorkloadObject } from '../../workloads/workload-object.ts'
import { PROXY_CONFIG, type Workload } from '../workload.ts'
import { isInjectedGateway } from './gateway-pods.ts'
import { LOCALHOST_ONLY } from './native-ports.ts'
import type { Scene } from './planner.ts'
import type { TemplateChange } from './template.ts'

const [VARIABLE = ''] = Object.keys(LOCALHOST_ONLY)

/**
 * Variables of the proxy with which both ports answer only their own pod, for both methods; Istio 1.22 and newer read them. A hardened
 * workload stays hardened without --harden.
 */
export function hardening({ object }: Workload, { options }: Pick<Scene, 'options'>): Record<string, string> {
  return options.harden || isHardened(object) ? { ...LOCALHOST_ONLY } : {}
}

/** Whether its pod template closes both ports. */
export function isHardened({ spec }: WorkloadObject): boolean {
  return spec.template.metadata?.annotations?.[PROXY_CONFIG]?.includes(VARIABLE) ?? false
}

/**
 * Variables of a gateway's proxy. If the injector creates the container (template `gateway`), the proxy reads all of them from
 * `proxy.istio.io/config`. If it does not (istioctl install), the proxy reads the ports and the rule of 15020 only from the container's
 * environment, and the rule of 15090 only from `proxy.istio.io/config`: each was tried.
 * @param ports variables for the proxy's own ports
 */
export function gatewayVariables(
  workload: Workload,
  scene: Scene,
  ports: Record<string, string>,
): Omit<TemplateChange, 'annotations'> {
  const closed = hardening(workload, scene)
  if (isInjectedGateway(workload.object)) return { proxyMetadata: { ...ports, ...closed } }
  const variables = { ...ports, ...closed }
  return {
    proxyMetadata: closed,
    ...(Object.keys(variables).length === 0 ? {} : { env: { container: PROXY_CONTAINER, variables } }),
  }
}
