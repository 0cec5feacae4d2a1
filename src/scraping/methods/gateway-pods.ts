/** How a gateway's pods come to their proxy. Pure. */
import type { WorkloadObject } from '../workload.ts'

export const PROXY_CONTAINER = 'istio-proxy'

/** Whether Istio's injector makes the container (chart `gateway`: image `auto`), or it is there in full (istioctl install). */
export function isInjectedGateway({ spec }: WorkloadObject): boolean {
  const proxy = spec.template.spec.containers.find(({ name }) => name === PROXY_CONTAINER)
  return proxy === undefined || proxy.image === 'auto'
}
