/** How a gateway's pods get their proxy. Pure. */

import { PROXY_CONTAINER } from '../../workloads/proxy.ts'
import type { WorkloadObject } from '../../workloads/workload-object.ts'

/** Whether Istio's injector creates the container (chart `gateway`: image `auto`). Else the template contains it in full (istioctl install). */
export function isInjectedGateway({ spec }: WorkloadObject): boolean {
  const proxy = spec.template.spec.containers.find(({ name }) => name === PROXY_CONTAINER)
  return proxy === undefined || proxy.image === 'auto'
}
