/** Shared by tests of forwarding: a cluster whose pods accept tunnels, local ports, and a check that nothing is left. */
import assert from 'node:assert/strict'
import { requireAddons } from '../../src/addons/catalog.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { UserError } from '../../src/errors.ts'
import type { Finding } from '../../src/findings.ts'
import type { ForwardEvent } from '../../src/forwarding/event-reporter.ts'
import { type PortForwardRequest, portForward, succeeded } from '../../src/forwarding/port-forward.ts'
import type { ConnectionReport, TrafficReport } from '../../src/forwarding/traffic-counter.ts'
import { FakeListener } from '../fakes/fake-listener.ts'
import { endpoint, FakeWatchCluster, slice } from '../fakes/fake-slices.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { FakeTimers, settle } from '../fakes/fake-timers.ts'
import { grafana, kiali, service } from '../fakes/mesh.ts'

const request: PortForwardRequest = {
  addons: requireAddons(['grafana']),
  ports: [],
  addresses: ['127.0.0.1', '::1'],
  wait: 10_000,
  exitOnLoss: false,
  open: false,
}
export const SHOP = service(
  'default',
  'shop',
  {},
  {
    ports: [
      { name: 'http', port: 80 },
      { name: 'grpc', port: 9000 },
    ],
  },
)
export const NAMED = [
  { name: 'service', port: 3000 },
  { name: 'http', port: 8080 },
  { name: 'grpc', port: 9000 },
]

export function run(
  changes: Partial<PortForwardRequest> = {},
  objects: KubeObject[] = [...grafana(), ...kiali(), SHOP],
) {
  const cluster = new FakeWatchCluster(objects)
  cluster.slices = [slice('a', [endpoint('p')], NAMED)]
  const world = {
    cluster,
    listener: new FakeListener(),
    timers: new FakeTimers(),
    events: [] as ForwardEvent[],
    warnings: [] as Finding[],
    connections: [] as ConnectionReport[],
    traffic: [] as TrafficReport[],
    /** Whether traffic reports are wanted. */
    watched: false,
    opened: [] as string[],
    /** Why the browser cannot be started. */
    noBrowser: undefined as string | undefined,
    ending: new AbortController(),
    result: '' as string,
    error: undefined as UserError | undefined,
    start: () => {},
  }
  world.start = () => {
    const needs = { cluster, terminal: new FakeTerminal(), random: () => new Uint8Array([255]) }
    const audience = {
      tell: (event: ForwardEvent) => world.events.push(event),
      warn: (warnings: Finding[]) => world.warnings.push(...warnings),
      tellConnection: (report: ConnectionReport) => world.connections.push(report),
      tellTraffic: world.watched ? (report: TrafficReport) => world.traffic.push(report) : undefined,
    }
    const browser = {
      open: async (url: string) => {
        world.opened.push(url)
        return world.noBrowser
      },
    }
    const { listener, timers, ending } = world
    const forwarding = { listener, timers, browser, signal: ending.signal }
    void portForward({ ...request, ...changes }, needs, forwarding, audience).then(
      (result) => {
        world.result = `${result.outcome} ${succeeded(result) ? 0 : 1}`
      },
      (error) => {
        world.error = error
      },
    )
  }
  return world
}

export async function started(...of: Parameters<typeof run>) {
  const world = run(...of)
  world.start()
  await settle(12)
  return world
}

export const line = ({ event, addon, url, pod, reason }: ForwardEvent) =>
  [event, addon, url, pod, reason].filter(Boolean).join(' ')
export const OPEN = ['listening grafana http://localhost:3000/', 'connected grafana http://localhost:3000/ p']
export const CLOSED = 'closed grafana http://localhost:3000/'

/** Checks that no port, watch, timer or tunnel is left. */
export function assertOver({ cluster, listener, timers }: ReturnType<typeof run>): void {
  assert.deepEqual([listener.open.size, cluster.watches.length, timers.pending], [0, 0, 0])
  assert.ok(cluster.kubelets.every(({ kubelet }) => kubelet.upgraded.socket.destroyed))
}
