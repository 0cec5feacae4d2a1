import { existsSync } from 'node:fs'
import { cable, here, hostAddress, loadBalancerAddress, namespace, nodeAddress } from './layout.ts'
import { command, succeeds } from './subprocess.ts'

/** The argv that runs a command in the node's network. Not `ip netns exec`: that hides /sys/fs/cgroup. */
export function insideNamespace(argv: readonly string[], { namespace } = here): [string, ...string[]] {
  return ['nsenter', `--net=/run/netns/${namespace}`, '--', ...argv]
}

/** A network namespace, and a cable (veth pair) from this machine into it. Repeating completes what was cut off. */
export async function connectNode(): Promise<void> {
  if (!existsSync(`/run/netns/${namespace}`)) await command(['ip', 'netns', 'add', namespace])
  if (!(await succeeds(['ip', 'link', 'show', cable]))) {
    await command(['ip', 'link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace])
  }
  await command(['ip', 'addr', 'replace', `${hostAddress}/24`, 'dev', cable])
  await command(['ip', 'link', 'set', cable, 'up'])
  const script = [
    `ip addr replace ${nodeAddress}/24 dev eth0`,
    'ip link set eth0 up',
    'ip link set lo up',
    `ip route replace default via ${hostAddress}`,
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
    'echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter',
  ]
  await command(insideNamespace(['sh', '-ec', script.join('\n')]))
}

/**
 * kube-proxy answers for the load balancer's address inside the node; this machine only has to send it there. What kube-proxy leaves is
 * for a port that the Service does not have, and refused. The node would look for the address on its own network otherwise, which takes
 * seconds, and would send this machine there as well (an ICMP redirect): then the other ports are out of reach, too.
 */
export async function routeLoadBalancer(): Promise<void> {
  await command(['ip', 'route', 'replace', `${loadBalancerAddress}/32`, 'via', nodeAddress])
  const refuse = `FORWARD -d ${loadBalancerAddress} -p tcp -j REJECT --reject-with tcp-reset`
  await command(insideNamespace(['sh', '-ec', `iptables -w -C ${refuse} 2>/dev/null || iptables -w -A ${refuse}`]))
}

export async function unrouteLoadBalancer(): Promise<void> {
  await succeeds(['ip', 'route', 'del', `${loadBalancerAddress}/32`]) // fails when there is none
}

/** Removes both ends of the cable, the routes over it, and the namespace. */
export async function disconnectNode(): Promise<void> {
  if (await succeeds(['ip', 'link', 'show', cable])) await command(['ip', 'link', 'del', cable])
  if (existsSync(`/run/netns/${namespace}`)) await command(['ip', 'netns', 'del', namespace])
}
