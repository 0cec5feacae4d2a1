/** The lab's two clusters, joined by `multicluster connect`: the first is called east, the second west. */
import assert from 'node:assert/strict'
import { loadBalancer } from '../lab/lab.ts'
import type { Outcome } from './mesh.ts'
import { CONTEXTS, TwoClusters } from './two-clusters.ts'

const CLUSTERS = ['--context', `east=${CONTEXTS[0]}`, '--context', `west=${CONTEXTS[1]}`]

export class Connected {
  readonly clusters: TwoClusters

  private constructor(clusters: TwoClusters) {
    this.clusters = clusters
  }

  /** Brings the clusters up, gives their gateways addresses, and connects them. */
  static async start(): Promise<Connected> {
    const clusters = await TwoClusters.start()
    for (const cluster of [1, 2] as const) await loadBalancer('on', cluster)
    const connected = new Connected(clusters)
    connected.done('connect')
    return connected
  }

  /** `kubectl telemetry multicluster …` for both clusters. */
  run(...words: string[]): Outcome {
    const [verb = '', ...more] = words
    const yes = ['verify', 'status'].includes(verb) ? [] : ['-y']
    return this.clusters.first.telemetry('multicluster', verb, ...more, ...CLUSTERS, ...yes)
  }

  /** The same, which has to succeed. */
  done(...words: string[]): Outcome {
    const outcome = this.run(...words)
    assert.equal(outcome.exitCode, 0, `${words.join(' ')}: ${outcome.stdout}${outcome.stderr}`)
    return outcome
  }

  async end(): Promise<void> {
    this.run('cleanup')
    this.run('cleanup', '--trust')
    for (const cluster of [1, 2] as const) await loadBalancer('off', cluster)
    this.clusters.end()
  }
}
