/**
 * The link between the nodes of a lab's two clusters: a cable from one network namespace into the other, which this machine has no part in.
 * Each node has a route to the other's own address and to its load balancer's, and to nothing else of it, so that no pod reaches a pod of
 * the other cluster: what Istio calls different networks.
 */
import { here, type Site, second } from './layout.ts'
import { insideNamespace } from './network.ts'
import { command, succeeds } from './subprocess.ts'

/** Its name at both ends. */
const DEVICE = 'mesh-link'

/** Repeating completes what was cut off, and plugs the link in. */
export async function connectClusters(): Promise<void> {
  if (!(await succeeds(insideNamespace(['ip', 'link', 'show', DEVICE])))) {
    const ends = ['type', 'veth', 'peer', 'name', DEVICE, 'netns', second.namespace]
    await command(insideNamespace(['ip', 'link', 'add', DEVICE, ...ends]))
  }
  await Promise.all([connectEnd(here, second), connectEnd(second, here)])
  await plugLinkIn()
}

/** Takes the first cluster's end away, once the second cluster is gone. */
export async function disconnectClusters(): Promise<void> {
  await succeeds(insideNamespace(['ip', 'link', 'del', DEVICE])) // it may have gone with the other end
  const script = [
    ...networksOf(second).map((network) => `ip route del unreachable ${network} 2>/dev/null || true`),
    `iptables -w -t nat -D ${masquerade(here)} 2>/dev/null || true`,
    `iptables -w -t raw -D ${UNPLUGGED} 2>/dev/null || true`,
  ]
  await command(insideNamespace(['sh', '-ec', script.join('\n')]))
}

/** Both ends drop what comes in, as if the packets were lost on the way: connections stay, and nobody is told. */
export async function unplugLink(): Promise<void> {
  await atBothEnds(`iptables -w -t raw -C ${UNPLUGGED} 2>/dev/null || iptables -w -t raw -A ${UNPLUGGED}`)
}

export async function plugLinkIn(): Promise<void> {
  await atBothEnds(`! iptables -w -t raw -C ${UNPLUGGED} 2>/dev/null || iptables -w -t raw -D ${UNPLUGGED}`)
}

export async function linkState(): Promise<'in' | 'out' | 'missing'> {
  if (!(await succeeds(insideNamespace(['ip', 'link', 'show', DEVICE])))) return 'missing'
  const question = ['iptables', '-w', '-t', 'raw', '-C', ...UNPLUGGED.split(' ')]
  return (await succeeds(insideNamespace(question))) ? 'out' : 'in'
}

const UNPLUGGED = `PREROUTING -i ${DEVICE} -j DROP`

async function atBothEnds(script: string): Promise<void> {
  await Promise.all([here, second].map((site) => command(insideNamespace(['sh', '-ec', script], site))))
}

/**
 * What leaves a pod has the node's address, as with most providers: the other node has no way back to a pod.
 * What the other cluster has besides is unreachable, also while the link is out: this machine would be asked for it otherwise.
 */
async function connectEnd(site: Site, other: Site): Promise<void> {
  const rule = masquerade(site)
  const script = [
    `ip addr replace ${site.nodeAddress}/32 dev ${DEVICE}`,
    `ip link set ${DEVICE} up`,
    `ip route replace ${other.nodeAddress}/32 dev ${DEVICE} src ${site.nodeAddress}`,
    // Nobody answers an ARP request for this address, so the node is asked to pass it on.
    `ip route replace ${other.loadBalancerAddress}/32 via ${other.nodeAddress} dev ${DEVICE} onlink src ${site.nodeAddress}`,
    ...networksOf(other).map((network) => `ip route replace unreachable ${network}`),
    `iptables -w -t nat -C ${rule} 2>/dev/null || iptables -w -t nat -A ${rule}`,
  ]
  await command(insideNamespace(['sh', '-ec', script.join('\n')], site))
}

const networksOf = ({ nodes, pods, services }: Site) => [nodes, pods, services].map((network) => `${network}0.0/16`)

const masquerade = ({ pods, nodeAddress }: Site) =>
  `POSTROUTING -s ${pods}0.0/16 -o ${DEVICE} -j SNAT --to-source ${nodeAddress}`
