/** Connections to pods through the API server: upgraded to SPDY, or to WebSocket. */
import type { Command, ObjectName, Upgraded } from './cluster.ts'
import type { KubeRequest, KubeRequests, UpgradeRequest } from './kube-requests.ts'
import { PODS, pathOf } from './resources.ts'

type Protocol = Upgraded['protocol']

/** How a kind of connection is asked for, and with which versions of its protocol an answer is accepted. */
type Ways = Readonly<
  Record<
    Protocol,
    Pick<UpgradeRequest, 'method' | 'protocol' | 'headers'> & { answer?: { header: string; versions: string[] } }
  >
>

const WEB_SOCKET = { 'sec-websocket-version': '13' }

const TUNNELS: Ways = {
  spdy: { method: 'POST', protocol: 'SPDY/3.1', headers: { 'x-stream-protocol-version': 'portforward.k8s.io' } },
  websocket: {
    method: 'GET',
    protocol: 'websocket',
    headers: { ...WEB_SOCKET, 'sec-websocket-protocol': 'SPDY/3.1+portforward.k8s.io' },
  },
}

/** Versions before 4 do not say how a program ended. */
const FOUR = 'v4.channel.k8s.io'
/** Since Kubernetes 1.29; version 5 can end stdin, which is not used here. */
const FIVE = 'v5.channel.k8s.io'

const PROGRAMS: Ways = {
  websocket: {
    method: 'GET',
    protocol: 'websocket',
    headers: { ...WEB_SOCKET, 'sec-websocket-protocol': `${FIVE}, ${FOUR}` },
    answer: { header: 'sec-websocket-protocol', versions: [FIVE, FOUR] },
  },
  spdy: {
    method: 'POST',
    protocol: 'SPDY/3.1',
    headers: { 'x-stream-protocol-version': FOUR },
    answer: { header: 'x-stream-protocol-version', versions: [FOUR] },
  },
}

export class KubeUpgrades {
  readonly #requests: Pick<KubeRequests, 'upgrade' | 'explain'>
  #tunnels: readonly Protocol[] = ['spdy', 'websocket']
  #programs: readonly Protocol[] = ['websocket', 'spdy']

  constructor(requests: Pick<KubeRequests, 'upgrade' | 'explain'>) {
    this.#requests = requests
  }

  /**
   * Tries SPDY first, then SPDY in a WebSocket, which kubectl prefers since 1.31: there the API server unpacks and packs all data, which
   * costs a third of the throughput. The protocol that has worked is tried first from then on.
   */
  async portForward({ namespace, name }: Required<ObjectName>): Promise<Upgraded> {
    const path = `${pathOf(PODS, namespace, name)}/portforward`
    const what = `forward ports to pod/${name} in namespace ${namespace}`
    const upgraded = await this.#first(this.#tunnels, TUNNELS, { path, what })
    // A new list, because another call may be iterating over the old one.
    this.#tunnels = firstIn(this.#tunnels, upgraded.protocol)
    return upgraded
  }

  /**
   * Tries WebSocket first, as kubectl does since 1.31: the API server then reports on the error channel what the kubelet says of a container
   * that does not run. The protocol that has worked is tried first from then on.
   */
  async exec({ namespace, name }: Required<ObjectName>, { container, argv }: Command): Promise<Upgraded> {
    const words = argv.map((word): [string, string] => ['command', word])
    const query = new URLSearchParams([['container', container], ...words, ['stdout', 'true'], ['stderr', 'true']])
    const path = `${pathOf(PODS, namespace, name)}/exec?${query}`
    const what = `run ${argv[0]} in pod/${name} in namespace ${namespace} (pods/exec)`
    const upgraded = await this.#first(this.#programs, PROGRAMS, { path, what })
    this.#programs = firstIn(this.#programs, upgraded.protocol)
    return upgraded
  }

  async #first(order: readonly Protocol[], ways: Ways, call: Omit<KubeRequest, 'method'>): Promise<Upgraded> {
    for (const protocol of order) {
      const { answer, ...way } = ways[protocol]
      const switched = await this.#requests.upgrade({ ...way, ...call })
      if (switched === undefined) continue
      const { socket, headers } = switched
      if (answer === undefined || answer.versions.includes(String(headers[answer.header]))) return { socket, protocol }
      socket.destroy()
    }
    throw await this.#requests.explain({ method: 'POST', ...call })
  }
}

function firstIn(order: readonly Protocol[], first: Protocol): Protocol[] {
  return [first, ...order.filter((other) => other !== first)]
}
