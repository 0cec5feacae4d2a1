import { kubectl } from './kubectl.ts'
import { loadBalancerAddress } from './layout.ts'
import { routeLoadBalancer, unrouteLoadBalancer } from './network.ts'

/** What a cloud's load balancer does for the gateway: an address of its own, or none (`<pending>`) as on bare metal. */
export async function setLoadBalancer(state: 'on' | 'off'): Promise<void> {
  const ingress = state === 'on' ? [{ ip: loadBalancerAddress }] : null
  const patch = JSON.stringify({ status: { loadBalancer: { ingress } } })
  const target = ['service/istio-ingressgateway', '--namespace=istio-system', '--subresource=status']
  await kubectl('patch', ...target, '--type=merge', `--patch=${patch}`)
  if (state === 'on') await routeLoadBalancer()
  else await unrouteLoadBalancer()
}
