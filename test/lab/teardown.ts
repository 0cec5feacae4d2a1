// Everything that `up` made, taken away again, whatever state it is in.
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { podProcesses, removeCgroups } from './cgroups.ts'
import { podNetworkName } from './configuration.ts'
import { daemons } from './daemons.ts'
import { podNetworkPrefix, run, runPaths } from './layout.ts'
import { disconnectNode, unrouteLoadBalancer } from './network.ts'
import { kill, processesOf } from './processes.ts'
import { until } from './progress.ts'
import { command, succeeds } from './subprocess.ts'

/** Leaves no process, mount, namespace, link, route, cgroup or file of the lab; the cache stays. */
export async function removeNode(): Promise<void> {
  const namespaces = await podNamespaces()
  const sockets = shimSockets()
  await killDaemonsAndPods()
  await until('the mounts to go', unmountAll, 10)
  for (const name of namespaces) await succeeds(['ip', 'netns', 'del', name]) // its pod's end may have taken it along
  await unrouteLoadBalancer()
  await disconnectNode()
  await until('the cgroups to empty', async () => removeCgroups(), 10)
  await Promise.all([...sockets, ...containerLogLinks(), ...networkResults()].map((path) => rm(path, { force: true })))
  await rm(run, { recursive: true, force: true })
}

/** Those that restart things die first. A shim outlives containerd, and a container its shim. */
async function killDaemonsAndPods(): Promise<void> {
  await kill(daemons.flatMap((daemon) => processesOf(basename(daemon.argv[0]))).map(({ pid }) => pid))
  await kill(processesOf('containerd-shim-runc-v2').map(({ pid }) => pid))
  await until('the pods to end', async () => {
    await kill(podProcesses())
    if (podProcesses().length > 0) throw new Error('a process was forked meanwhile')
  })
}

/** Innermost first. Throws while one is left: the files behind a mount must not be deleted with the run directory. */
async function unmountAll(): Promise<void> {
  for (const path of mountsBelow(run).reverse()) await succeeds(['umount', '--lazy', path])
  const left = mountsBelow(run)
  if (left.length > 0) throw new Error(`still mounted: ${left.join(' ')}`)
}

/** Mount points in the order they were mounted. */
export function mountsBelow(directory: string): string[] {
  const lines = readFileSync('/proc/mounts', 'utf8').split('\n')
  return lines.flatMap((line) => line.split(' ')[1] ?? []).filter((path) => path.startsWith(`${directory}/`))
}

/** containerd names pods' network namespaces at random; the lab's are those with an address of its pod network. */
async function podNamespaces(): Promise<string[]> {
  if (!existsSync('/run/netns')) return []
  const names = readdirSync('/run/netns').filter((name) => name.startsWith('cni-'))
  const addresses = await Promise.all(
    names.map((name) => command(['ip', '-netns', name, '-oneline', 'address']).catch(() => '')),
  )
  return names.filter((_, index) => addresses[index]?.includes(` ${podNetworkPrefix}`))
}

/** A killed shim leaves its socket outside the run directory; each container's `address` file tells where. */
function shimSockets(): string[] {
  const tasks = join(runPaths.containerdState, 'io.containerd.runtime.v2.task', 'k8s.io')
  if (!existsSync(tasks)) return []
  return readdirSync(tasks).flatMap((id) => {
    const address = join(tasks, id, 'address')
    return existsSync(address) ? [readFileSync(address, 'utf8').replace(/^unix:\/\//, '')] : []
  })
}

/** The kubelet links every container's log from here, and lets nobody choose another place. */
function containerLogLinks(): string[] {
  const directory = '/var/log/containers'
  if (!existsSync(directory)) return []
  const links = readdirSync(directory).map((name) => join(directory, name))
  return links.filter((link) => readlinkSync(link).startsWith(`${run}/`))
}

/** What libcni remembers of each pod's addresses. */
function networkResults(): string[] {
  const directory = '/var/lib/cni/results'
  if (!existsSync(directory)) return []
  const names = readdirSync(directory).filter((name) => name.startsWith(`${podNetworkName}-`))
  return names.map((name) => join(directory, name))
}
