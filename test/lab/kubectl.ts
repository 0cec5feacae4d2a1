import { join } from 'node:path'
import { binaries, node } from './components.ts'
import { runPaths } from './layout.ts'
import { command } from './subprocess.ts'

/** Runs the lab's own kubectl on the lab's own cluster. */
export function kubectl(...args: string[]): Promise<string> {
  return command([join(binaries(node), 'kubectl'), ...args], { env: { KUBECONFIG: runPaths.kubeconfig } })
}

/** Applies manifests given as text; returns the names of the objects, as `deployment.apps/grafana`. */
export async function apply(manifests: string, ...args: string[]): Promise<string[]> {
  const argv = [join(binaries(node), 'kubectl'), 'apply', '--filename=-', '--output=name', ...args]
  const names = await command(argv, { env: { KUBECONFIG: runPaths.kubeconfig }, input: manifests })
  return names.trim().split('\n')
}

/** Waits until every pod of the workload is of its newest template and Ready. */
export async function rolledOut(workload: string, workloadNamespace: string, timeout = '120s'): Promise<void> {
  await kubectl('rollout', 'status', workload, `--namespace=${workloadNamespace}`, `--timeout=${timeout}`)
}
