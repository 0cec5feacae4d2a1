import { setTimeout as sleep } from 'node:timers/promises'
import { kubectl } from './kubectl.ts'
import { loadBalancerAddress } from './layout.ts'
import { insideNamespace, routeLoadBalancer, unrouteLoadBalancer } from './network.ts'
import { command } from './subprocess.ts'

/** What a cloud's load balancer does for the gateway: an address of its own, or none (`<pending>`) as on bare metal. */
export async function setLoadBalancer(state: 'on' | 'off'): Promise<void> {
  const ingress = state === 'on' ? [{ ip: loadBalancerAddress }] : null
  const patch = JSON.stringify({ status: { loadBalancer: { ingress } } })
  const target = ['service/istio-ingressgateway', '--namespace=istio-system', '--subresource=status']
  await kubectl('patch', ...target, '--type=merge', `--patch=${patch}`)
  if (state === 'on') await Promise.all([routeLoadBalancer(), untilServed()])
  else await unrouteLoadBalancer()
}

/** Until kube-proxy has rules for the address, connections to it are refused. */
async function untilServed(): Promise<void> {
  const rules = () => command(insideNamespace(['iptables-save']))
  const isServed = async () => new RegExp(`^-A KUBE-.* -d ${loadBalancerAddress}/32 `, 'm').test(await rules())
  for (let tries = 0; !(await isServed()); tries++) {
    if (tries > 100) throw new Error(`kube-proxy has no rules for ${loadBalancerAddress}`)
    await sleep(100)
  }
}
