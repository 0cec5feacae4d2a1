/** Closing the ports in clear, 15090 and 15020, to other pods. Pure. */
import type { Workload, WorkloadObject } from '../workload.ts'
import { isInjectedGateway, PROXY_CONTAINER } from './gateway-pods.ts'
import { LOCALHOST_ONLY } from './native-ports.ts'
import type { Scene } from './planner.ts'
import { PROXY_CONFIG, type TemplateChange } from './template.ts'

const [VARIABLE = ''] = Object.keys(LOCALHOST_ONLY)

/**
 * Variables of the proxy by which both ports answer their own pod alone; read since Istio 1.22, whatever the method. What was closed stays
 * closed when it is not asked for again.
 */
export function hardening({ object }: Workload, { wishes }: Pick<Scene, 'wishes'>): Record<string, string> {
  return wishes.harden || isHardened(object) ? { ...LOCALHOST_ONLY } : {}
}

/** Whether its pods are told to close both ports. */
export function isHardened({ spec }: WorkloadObject): boolean {
  return spec.template.metadata?.annotations?.[PROXY_CONFIG]?.includes(VARIABLE) ?? false
}

/**
 * Variables of a gateway's proxy. Where the injector makes the container (template `gateway`), `proxy.istio.io/config` says them all. Where it
 * does not (istioctl install), ports and the rule of 15020 are read from the container's environment alone, that of 15090 from
 * `proxy.istio.io/config` alone: each was tried.
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
