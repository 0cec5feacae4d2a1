/** Istio's proxy in a pod: its container, and programs of Istio that have the container's name but are no sidecar. Pure. */
import type { Container, Pod } from '../cluster/objects.ts'

/** Istio's container; a native sidecar is an init container. */
export const PROXY_CONTAINER = 'istio-proxy'

/** The image of the proxy; empty where the container names none, `undefined` without a proxy. */
export function proxyImage({ spec }: Pick<Pod, 'spec'>): string | undefined {
  const isProxy = (container: Container) => container.name === PROXY_CONTAINER && partIn(container) === undefined
  const proxy = containersOf(spec).find(isProxy)
  return proxy && (proxy.image ?? '')
}

/** Whether somebody answers mutual TLS for the pod: a sidecar in it, or ztunnel on its node. */
export function answersMutualTls(pod: Pod): boolean {
  const isAmbient = pod.metadata.annotations?.['ambient.istio.io/redirection'] === 'enabled'
  return isAmbient || proxyImage(pod) !== undefined
}

/** Parts of Istio's ambient mode and the plugin of the nodes, as codes of reasons. */
export type AmbientPart = 'ZTUNNEL' | 'WAYPOINT' | 'ISTIO_CNI'

/**
 * Which part of ambient mode a pod is. Containers of ztunnel and of waypoints have the name of a sidecar, but they are none: a change of
 * them would cut the traffic of a node or a namespace. Charts and users rename them, so the program is compared and not the name.
 */
export function ambientPartOf({ spec }: { spec: Pod['spec'] }): AmbientPart | undefined {
  return containersOf(spec)
    .map(partIn)
    .find((part) => part !== undefined)
}

/** `args: [proxy, ztunnel]`, `[proxy, waypoint]`: https://github.com/istio/istio/tree/master/manifests/charts */
function partIn({ image = '', args = [] }: Container): AmbientPart | undefined {
  if (args.includes('ztunnel') || /(^|\/)ztunnel(?=[:@]|$)/.test(image)) return 'ZTUNNEL'
  if (args[args.indexOf('proxy') + 1] === 'waypoint') return 'WAYPOINT'
  return /(^|\/)install-cni(?=[:@]|$)/.test(image) ? 'ISTIO_CNI' : undefined
}

function containersOf({ containers, initContainers = [] }: Pod['spec']): Container[] {
  return [...containers, ...initContainers]
}
