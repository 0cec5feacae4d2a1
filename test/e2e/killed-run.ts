/** Runs of the plugin that are cut off in the middle. */
import { spawn } from 'node:child_process'
import type { Workplace } from './mesh.ts'

/** Kills the run as soon as its n-th write has been answered; dry runs do not count. @returns whether it was killed */
export function killedAfter(workplace: Workplace, words: string[], n: number): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn('kubectl-telemetry', [...words, '-v'], {
      env: workplace.environment,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let seen = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      seen += text
      const writes = seen.split('\n').filter((line) => /^(PATCH|PUT|DELETE) .* ms$/.test(line))
      if (writes.length >= n) child.kill('SIGKILL')
    })
    child.once('close', (_code, signal) => resolve(signal === 'SIGKILL'))
  })
}
