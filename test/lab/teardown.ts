// Everything that `up` made, taken away again, whatever state it is in.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { basename } from 'node:path'
import { podProcesses, removeCgroups } from './cgroups.ts'
import { daemons } from './daemons.ts'
import { podNetworkPrefix, run } from './layout.ts'
import { disconnectNode, unrouteLoadBalancer } from './network.ts'
import { kill, processesOf } from './processes.ts'
import { until } from './progress.ts'
import { command, succeeds } from './subprocess.ts'
import { removeTraces, tracesOutside } from './traces.ts'

/** Leaves no process, mount, namespace, link, route, cgroup or file of the lab; the cache stays. */
export async function removeNode(): Promise<void> {
  const namespaces = await podNamespaces()
  const traces = tracesOutside()
  await killDaemonsAndPods()
  await until('the mounts to go', unmountAll, 10)
  for (const name of namespaces) await succeeds(['ip', 'netns', 'del', name]) // its pod's end may have taken it along
  await unrouteLoadBalancer()
  await disconnectNode()
  await until('the cgroups to empty', async () => removeCgroups(), 10)
  await removeTraces(traces)
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
function mountsBelow(directory: string): string[] {
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
