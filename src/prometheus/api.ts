/** Asks a Prometheus, through the API server's proxy to its pod. */
import type { Cluster } from '../cluster/cluster.ts'
import { isReady, type Pod } from '../cluster/objects.ts'
import { PODS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { Target } from '../scraping/scraper/targets.ts'
import { type FoundPrometheus, prometheusName } from './find.ts'

/** Milliseconds. One that starts reads its data first, and answers 503 meanwhile. */
const TIMEOUT = 10_000

export class PrometheusApi {
  readonly #cluster: Cluster
  readonly #found: FoundPrometheus

  constructor(cluster: Cluster, found: FoundPrometheus) {
    this.#cluster = cluster
    this.#found = found
  }

  /** Its Ready pods; of several (replicas) each scrapes for itself. */
  async pods(): Promise<Pod[]> {
    const { namespace, podLabels } = this.#found
    const labels = Object.entries(podLabels).map((pair) => pair.join('='))
    const pods = await this.#cluster.list<Pod>(PODS, { namespace, labels: labels.join(',') })
    return pods.filter((pod) => pod.metadata.deletionTimestamp === undefined && isReady(pod))
  }

  /** What each of its pods scrapes now. @throws UserError PROMETHEUS_UNREACHABLE, FORBIDDEN */
  async targets(pod: Pod): Promise<Target[]> {
    const { activeTargets } = await this.#ask<{ activeTargets: Target[] }>(pod, 'targets', { state: 'active' })
    return activeTargets
  }

  /** Its clock, in seconds. */
  async time(pod: Pod): Promise<number> {
    const { result } = await this.#ask<{ result: [number, string] }>(pod, 'query', { query: 'time()' })
    return Number(result[1])
  }

  /** The prometheus.yml that it goes by. */
  async configuration(pod: Pod): Promise<string> {
    return (await this.#ask<{ yaml: string }>(pod, 'status/config', {})).yaml
  }

  async #ask<T>({ metadata: { namespace = '', name } }: Pod, what: string, query: Record<string, string>): Promise<T> {
    const { port, basePath } = this.#found
    const path = `${basePath}/api/v1/${what}`
    const answer = await this.#cluster.askPod({ namespace, name }, { port, path, query, timeout: TIMEOUT })
    if ('failed' in answer) throw this.#unreachable(answer.failed)
    if (answer.status !== 200) throw this.#unreachable(`${path} answers ${answer.status}`)
    try {
      return (JSON.parse(answer.body) as { data: T }).data
    } catch {
      throw this.#unreachable(`what answers at port ${port} is no Prometheus`)
    }
  }

  #unreachable(why: string): UserError {
    const { namespace, object, resource } = this.#found
    return new UserError(
      'PROMETHEUS_UNREACHABLE',
      `Prometheus ${prometheusName(this.#found)} does not answer: ${why}`,
      {
        suggestions: [`kubectl -n ${namespace} rollout status ${resource.kind.toLowerCase()}/${object.metadata.name}`],
      },
    )
  }
}
