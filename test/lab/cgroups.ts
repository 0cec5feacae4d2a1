import { existsSync, readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nodeName } from './layout.ts'

const mounted = '/sys/fs/cgroup'
const unified = existsSync(join(mounted, 'cgroup.controllers'))

/** The node's cgroup: one in cgroup v2, one per controller in v1. Every pod is below it. */
export function cgroupRoots(node = nodeName): string[] {
  if (unified) return [join(mounted, node)]
  return readdirSync(mounted)
    .map((controller) => join(mounted, controller))
    .filter((path) => statSync(path).isDirectory())
    .map((path) => join(path, node))
}

/** In cgroup v2 a child has only the controllers that its parent hands down. */
export async function enableControllers(): Promise<void> {
  if (!unified) return
  const controllers = (await readFile(join(mounted, 'cgroup.controllers'), 'utf8')).trim().split(' ')
  await writeFile(join(mounted, 'cgroup.subtree_control'), controllers.map((name) => `+${name}`).join(' '))
}

/** Processes in the node's pods. */
export function podProcesses(): number[] {
  const pids = cgroupRoots()
    .flatMap(withDescendants)
    .flatMap((path) => readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n'))
  return [...new Set(pids.filter((pid) => pid !== '').map(Number))]
}

/** Removes the node's cgroups, the innermost first; fails while a process is left in one. */
export function removeCgroups(): void {
  for (const path of cgroupRoots().flatMap(withDescendants).reverse()) rmdirSync(path)
}

function withDescendants(root: string): string[] {
  if (!existsSync(root)) return []
  const children = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return [root, ...children.flatMap((entry) => withDescendants(join(root, entry.name)))]
}
