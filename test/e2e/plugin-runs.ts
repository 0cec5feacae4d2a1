/** Runs of the plugin during which the test process goes on: for a proxy in it, a second run, a client. */
import { spawn } from 'node:child_process'
import type { Outcome, Workplace } from './mesh.ts'

/** Milliseconds, longer than any run that ends by itself. */
const LONGEST = 100_000

/** Runs `kubectl-telemetry …` without a terminal and does not block this process. */
export function runPlugin(workplace: Workplace, ...words: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn('kubectl-telemetry', words, {
      env: workplace.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LONGEST,
    })
    const outcome = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        outcome[stream] += text
      })
    }
    child.once('close', (code) => resolve({ ...outcome, exitCode: code ?? -1 }))
  })
}

/** Objects of exposures that kubectl telemetry created, named as kubectl names them. */
export function ownObjects(workplace: Workplace): string[] {
  const kinds = [
    'secrets',
    'virtualservices.networking.istio.io',
    'gateways.networking.istio.io',
    'authorizationpolicies.security.istio.io',
    'envoyfilters.networking.istio.io',
  ].join()
  const label = 'app.kubernetes.io/managed-by=kubectl-telemetry'
  return workplace.kubectl('get', kinds, '-A', '-l', label, '-o', 'name').split('\n').filter(Boolean).sort()
}
