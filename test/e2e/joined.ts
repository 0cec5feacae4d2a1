/** The lab's two clusters as members of one mesh: the first is called east, the second west. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { loadBalancer } from '../lab/lab.ts'
import type { Outcome, Workplace } from './mesh.ts'
import { CONTEXTS, TwoClusters } from './two-clusters.ts'

export const [EAST, WEST] = ['east', 'west']
/** With names, of which `connect` keeps a record. */
export const NAMED = ['--context', `${EAST}=${CONTEXTS[0]}`, '--context', `${WEST}=${CONTEXTS[1]}`]
const UNNAMED = CONTEXTS.flatMap((context) => ['--context', context])

/** Commands that restart workloads take minutes. */
const PATIENCE = 400_000
const WITHOUT_QUESTIONS = ['verify', 'status']

export class Joined {
  readonly clusters: TwoClusters
  /** Of the run: with names until the clusters know theirs. */
  contexts = NAMED

  private constructor(clusters: TwoClusters) {
    this.clusters = clusters
  }

  /** Brings the clusters up. They are not connected yet, and their gateways have no address of a load balancer. */
  static async start(): Promise<Joined> {
    return new Joined(await TwoClusters.start())
  }

  /** Leaves the names out from now on. */
  rememberNames(): void {
    this.contexts = UNNAMED
  }

  #words([verb = '', ...more]: string[]): string[] {
    const yes = WITHOUT_QUESTIONS.includes(verb) ? [] : ['-y']
    return ['multicluster', verb, ...more, ...this.contexts, ...yes]
  }

  /** `kubectl telemetry multicluster …` for both clusters. */
  run(...words: string[]): Outcome {
    return this.clusters.first.run('kubectl', ['telemetry', ...this.#words(words)], { timeout: PATIENCE })
  }

  /** The same, which has to succeed. */
  done(...words: string[]): Outcome {
    const outcome = this.run(...words)
    assert.equal(outcome.exitCode, 0, `${words.join(' ')}: ${outcome.stdout}${outcome.stderr}`)
    return outcome
  }

  /** The JSON of one that has to succeed. */
  answer<T>(...words: string[]): T {
    return JSON.parse(this.done(...words, '-o', 'json').stdout) as T
  }

  /** Starts the same command, and kills it as soon as it has changed the Secret `cacerts` of this cluster. */
  async killedAtChange(workplace: Workplace, ...words: string[]): Promise<void> {
    const watch = ['-n', 'istio-system', 'get', 'secrets', '--field-selector=metadata.name=cacerts', '-o=name']
    const { environment } = this.clusters.first
    const watcher = spawn('kubectl', [...watch, '--watch-only'], { env: workplace.environment, stdio: 'pipe' })
    const changed = once(watcher.stdout, 'data')
    const child = spawn('kubectl-telemetry', this.#words(words), { env: environment, stdio: 'ignore' })
    const ended = once(child, 'close') as Promise<[number | null, string | null]>
    try {
      await Promise.race([changed, ended])
      child.kill('SIGKILL')
      assert.deepEqual(await ended, [null, 'SIGKILL'], 'it ended before its first change was seen')
    } finally {
      watcher.kill()
    }
  }

  async loadBalancers(state: 'on' | 'off'): Promise<void> {
    for (const cluster of [1, 2] as const) await loadBalancer(state, cluster)
  }
}
