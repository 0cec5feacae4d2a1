// Files that the node's programs leave outside the run directory, because nobody can choose their place.
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { rm, rmdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { podNetworkName, run, runPaths } from './layout.ts'
import { processes } from './processes.ts'

const containerLogs = '/var/log/containers'
const networkResults = '/var/lib/cni/results'
const devicePlugins = '/var/lib/kubelet/device-plugins'
/** Inner ones first. */
const directories = [
  containerLogs,
  networkResults,
  '/var/lib/cni',
  devicePlugins,
  '/var/lib/kubelet',
  '/run/containerd/s',
  '/run/containerd',
]

/** The lab's own files in places that others use too. To be asked while the run directory still tells whose they are. */
export function tracesOutside(): string[] {
  return [...shimSockets(), ...containerLogLinks(), ...networkResultFiles()]
}

/** Removes those files, and the directories that are empty without them. To be called when nothing runs any more. */
export async function removeTraces(files: readonly string[]): Promise<void> {
  await Promise.all(files.map((file) => rm(file, { force: true })))
  const otherKubelet = processes().some(({ argv }) => basename(argv[0] ?? '') === 'kubelet')
  if (!otherKubelet) await rm(join(devicePlugins, 'kubelet.sock'), { force: true })
  for (const directory of directories) await rmdir(directory).catch(() => {}) // not empty, or not there
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
  if (!existsSync(containerLogs)) return []
  const links = readdirSync(containerLogs).map((name) => join(containerLogs, name))
  return links.filter((link) => readlinkSync(link).startsWith(`${run}/`))
}

/** What libcni remembers of each pod: a file per network, all named after the pod's sandbox. */
function networkResultFiles(): string[] {
  if (!existsSync(networkResults)) return []
  const names = readdirSync(networkResults)
  const ours = names.filter((name) => name.startsWith(`${podNetworkName}-`))
  const sandboxes = ours.map((name) => name.split('-').at(-2) ?? '')
  return names.filter((name) => sandboxes.some((id) => name.includes(id))).map((name) => join(networkResults, name))
}
