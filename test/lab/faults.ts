/**
 * What can happen to a mesh, on demand, and its mending. Whoever injects one mends it, also when a test fails.
 * `npm run lab -- fault NAME` does the same by hand.
 */
import { apiServer } from './daemons.ts'
import { kubectl } from './kubectl.ts'
import type { ClusterNumber } from './lab.ts'
import { plugLinkIn, unplugLink } from './link.ts'
import { connectNode, insideNamespace } from './network.ts'
import { kill, runningDaemon, start, untilReady } from './processes.ts'
import { inSecondCluster } from './second-cluster.ts'
import { command } from './subprocess.ts'

export { plugLinkIn, unplugLink }

const KUBELET_PORT = 10_250

/** Ends the API server at once, and every connection to it. */
export async function stopApiServer(cluster: ClusterNumber = 1): Promise<void> {
  if (cluster === 2) await inSecondCluster('fault', 'api-server-stops')
  else await kill([apiServerProcess()])
}

/** @returns once it answers */
export async function startApiServer(cluster: ClusterNumber = 1): Promise<void> {
  if (cluster === 2) return inSecondCluster('fault', 'api-server-starts')
  await start(apiServer)
  await untilReady(apiServer, () => kubectl('get', '--raw=/readyz'))
}

/** The API server's machine hangs: connections stay and nothing is answered. */
export function hangApiServer(): void {
  process.kill(apiServerProcess(), 'SIGSTOP')
}

export function resumeApiServer(): void {
  process.kill(apiServerProcess(), 'SIGCONT')
}

function apiServerProcess(): number {
  const running = runningDaemon(apiServer)
  if (running === undefined) throw new Error('the API server does not run')
  return running.pid
}

/** Breaks every connection to the kubelet, with a reset to both ends; it goes on taking new ones. */
export async function cutKubelet(): Promise<void> {
  await command(insideNamespace(['ss', '--kill', '--tcp', `( sport = :${KUBELET_PORT} )`]))
}

/** Pulls the cable out at the node. At this machine's end its routes would go with it, and packets for the node somewhere else. */
export async function unplug(): Promise<void> {
  await command(insideNamespace(['ip', 'link', 'set', 'eth0', 'down']))
}

/** Puts it in again, and back the routes that went with it. */
export function plugIn(): Promise<void> {
  return connectNode()
}

/** By name. A fault and its mending stand side by side. */
export const faults: Readonly<Record<string, () => unknown>> = {
  'api-server-stops': stopApiServer,
  'api-server-starts': startApiServer,
  'api-server-hangs': hangApiServer,
  'api-server-resumes': resumeApiServer,
  'cable-out': unplug,
  'cable-in': plugIn,
  'link-out': unplugLink,
  'link-in': plugLinkIn,
}
