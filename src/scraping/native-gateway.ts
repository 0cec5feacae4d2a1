/** A gateway's own ports for its metrics over mutual TLS, Istio 1.31 and newer. It captures nothing, so no port has to be excluded. Pure. */
import { isInjectedGateway, PROXY_CONTAINER } from './gateway-pods.ts'
import { LOCALHOST_ONLY, NATIVE_PORTS } from './native-ports.ts'
import { planOnlyPrometheus } from './only-prometheus.ts'
import type { Planner } from './plan.ts'
import { planTemplate } from './template.ts'
import { ENVOY_PORT, MERGED_PORT, SECURE_PORT } from './workload.ts'

/**
 * Where the injector makes the container (template `gateway`), `proxy.istio.io/config` says it all. Where it does not (istioctl install), the
 * ports are read from the container's environment alone, 15020's rule too, but 15090's from `proxy.istio.io/config` alone: each was tried.
 */
export const planNativeGateway: Planner = (workload, scene) => {
  const { wishes } = scene
  const variables = { ...NATIVE_PORTS, ...(wishes.harden ? LOCALHOST_ONLY : {}) }
  const annotations = { [SECURE_PORT]: String(MERGED_PORT) }
  const template = isInjectedGateway(workload.object)
    ? planTemplate(workload, { annotations, proxyMetadata: variables })
    : planTemplate(workload, {
        annotations,
        env: { container: PROXY_CONTAINER, variables },
        ...(wishes.harden ? { proxyMetadata: LOCALHOST_ONLY } : {}),
      })
  if ('skip' in template) return template
  const closed = planOnlyPrometheus(workload, scene, [ENVOY_PORT, MERGED_PORT])
  return 'skip' in closed ? closed : { writings: [...closed.writings, template] }
}
