/** Runs of the plugin beside which the test goes on: a proxy in this process, a second run, a client that looks on. */
import { spawn } from 'node:child_process'
import type { Outcome, Workplace } from './mesh.ts'

/** Longer than any run takes that ends. */
const LONGEST = 100_000

/** `kubectl-telemetry …` without a terminal, while this process stays awake. */
export function running(workplace: Workplace, ...words: string[]): Promise<Outcome> {
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

/** What is ours in the cluster, named as kubectl names it. */
export function ours(workplace: Workplace): string[] {
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
