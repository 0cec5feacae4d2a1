/** Runs of the plugin that are killed between two writes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { FaultyApiServer } from './faulty-api-server.ts'
import type { Workplace } from './mesh.ts'

/**
 * Kills the run after its n-th write; dry runs and refused writes do not count. The answer is held back until the process has ended,
 * so that it cannot send the next write, however busy the machine is. @returns whether the run was killed
 */
export async function killAfterWrite(workplace: Workplace, words: string[], n: number): Promise<boolean> {
  const server = await FaultyApiServer.start()
  const kubeconfig = join(workplace.directory, 'killed-run-kubeconfig')
  server.writeKubeConfig(kubeconfig)
  const child = spawn('kubectl-telemetry', words, {
    env: { ...workplace.environment, KUBECONFIG: kubeconfig },
    stdio: 'ignore',
  })
  const closed = once(child, 'close') as Promise<[number | null, string | null]>
  let writes = 0
  server.afterExecution = async ({ write }) => {
    if (!write || ++writes < n) return
    child.kill('SIGKILL')
    await closed
  }
  try {
    const [, signal] = await closed
    return signal === 'SIGKILL'
  } finally {
    server.close()
  }
}
