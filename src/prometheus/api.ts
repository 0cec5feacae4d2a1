/** The HTTP API of a Prometheus, through the API server's proxy to its pod. */
import type { Cluster, PodAnswer } from '../cluster/cluster.ts'
import { isReady, isStaying, type Pod } from '../cluster/objects.ts'
import { PODS, PROMETHEUSES } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { wantsTls } from '../probing/wrong-protocol.ts'
import { sh } from '../shell.ts'
import { isPlainPath, shown } from '../text.ts'
import { controllerOf } from '../workloads/controller.ts'
import { valuesInYaml } from '../yaml-reading.ts'
import { type FoundPrometheus, prometheusName } from './find.ts'
import { fieldsOf, type Target, targetOf, textsOf } from './target.ts'

/** Milliseconds. A Prometheus that starts reads its data first, and answers 503 until then. */
const TIMEOUT = 10_000

/** The most numbers of a query that are read. */
const MOST_SERIES = 100

/** Milliseconds: that of Istio's sample. */
const USUAL_INTERVAL = 15_000
/** https://prometheus.io/docs/prometheus/latest/configuration/configuration/: `<duration>` */
const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** @returns undefined for what is no duration of up to a day */
function durationOf(text: unknown): number | undefined {
  if (typeof text !== 'string' || !/^(\d{1,6}(ms|[smhd])){1,5}$/.test(text)) return undefined
  const parts = [...text.matchAll(/(\d+)(ms|[smhd])/g)]
  const total = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? ''] ?? 0), 0)
  return total > 0 && total <= 86_400_000 ? total : undefined
}

/** Of Prometheus itself, or of a proxy before it that leads to a page for the login. */
const LOGIN_WANTED = [301, 302, 303, 307, 401, 403]
const CERTIFICATE_WANTED = /tls: (certificate required|bad certificate)/

/** The answer of a server in Go to plaintext. */
function isForTls(answer: PodAnswer): boolean {
  return 'status' in answer && wantsTls(answer.status, answer.body)
}

export class PrometheusApi {
  readonly #cluster: Cluster
  readonly #found: FoundPrometheus
  /** Its answer shows whether it serves TLS (`--web.config.file`). */
  #scheme: 'http' | 'https' = 'http'

  constructor(cluster: Cluster, found: FoundPrometheus) {
    this.#cluster = cluster
    this.#found = found
  }

  /** Its Ready pods. Each replica scrapes all targets. */
  async pods(): Promise<Pod[]> {
    const { namespace, podLabels } = this.#found
    const labels = Object.entries(podLabels).map((pair) => pair.join('='))
    const pods = await this.#cluster.list<Pod>(PODS, { namespace, labels: labels.join(',') })
    return pods.filter((pod) => isStaying(pod) && isReady(pod) && this.#isOwn(pod))
  }

  /** Another workload may have pods with the same labels. An operator makes its own workloads, and labels their pods with the name. */
  #isOwn(pod: Pod): boolean {
    const { resource, name } = this.#found
    const owner = controllerOf(pod)
    return resource === PROMETHEUSES || owner === undefined || (owner.kind === resource.kind && owner.name === name)
  }

  /** The present targets of one of its pods. @throws UserError PROMETHEUS_UNREACHABLE, PROMETHEUS_PROTECTED, FORBIDDEN */
  async targets(pod: Pod): Promise<Target[]> {
    const { activeTargets } = fieldsOf(await this.#ask(pod, 'targets', { state: 'active' }))
    if (!Array.isArray(activeTargets)) throw this.#noApi()
    return activeTargets.map(targetOf)
  }

  /** Its clock, in seconds. */
  async time(pod: Pod): Promise<number> {
    const { result } = fieldsOf(await this.#ask(pod, 'query', { query: 'time()' }))
    const time = Array.isArray(result) ? Number(result[1]) : Number.NaN
    if (!Number.isFinite(time)) throw this.#noApi()
    return time
  }

  /** The prometheus.yml that it has loaded. */
  async configuration(pod: Pod): Promise<string> {
    const { yaml } = fieldsOf(await this.#ask(pod, 'status/config', {}))
    if (typeof yaml !== 'string') throw this.#noApi()
    return yaml
  }

  /** An instant query. @returns a number for each set of labels */
  async query(pod: Pod, query: string): Promise<{ labels: Record<string, string>; value: number }[]> {
    const { result } = fieldsOf(await this.#ask(pod, 'query', { query }))
    if (!Array.isArray(result)) throw this.#noApi()
    return result.slice(0, MOST_SERIES).map((one) => {
      const { metric, value } = fieldsOf(one)
      const number = Array.isArray(value) ? Number(value[1]) : Number.NaN
      if (!Number.isFinite(number)) throw this.#noApi()
      return { labels: textsOf(metric), value: number }
    })
  }

  /** Milliseconds between two scrapes of a target. */
  async scrapeInterval(pod: Pod): Promise<number> {
    const { global } = fieldsOf(valuesInYaml(await this.configuration(pod)))
    return durationOf(fieldsOf(global).scrape_interval) ?? USUAL_INTERVAL
  }

  async #ask(
    { metadata: { namespace = '', name } }: Pod,
    what: string,
    query: Record<string, string>,
  ): Promise<unknown> {
    const { port, basePath } = this.#found
    const path = `${basePath}/api/v1/${what}`
    if (!isPlainPath(path)) throw this.#unreachable(`its path ${JSON.stringify(shown(basePath))} is not a plain one`)
    const ask = () =>
      this.#cluster.askPod({ namespace, name }, { scheme: this.#scheme, port, path, query, timeout: TIMEOUT })
    const first = await ask()
    // The API server's proxy accepts any certificate.
    if (isForTls(first)) this.#scheme = 'https'
    const answer = isForTls(first) ? await ask() : first
    if ('failed' in answer && !CERTIFICATE_WANTED.test(answer.failed))
      throw this.#unreachable(`${answer.failed}${this.#hint()}`)
    if ('failed' in answer) throw this.#protected('wants a client certificate')
    if (LOGIN_WANTED.includes(answer.status)) throw this.#protected(`answers ${answer.status}: it wants a login`)
    if (answer.status !== 200) throw this.#unreachable(`${path} answers ${answer.status}`)
    try {
      return (JSON.parse(answer.body) as { data?: unknown } | null)?.data
    } catch {
      throw this.#noApi()
    }
  }

  #noApi(): UserError {
    return this.#unreachable(`port ${this.#found.port} does not serve the API of Prometheus`)
  }

  /** A Prometheus behind a proxy in its pod, which asks for a login. */
  #hint(): string {
    const { listensAt } = this.#found
    return /^(127\.|localhost|\[::1\])/.test(listensAt ?? '') ? `; it listens only inside its pod (${listensAt})` : ''
  }

  #protected(why: string): UserError {
    const message = `Prometheus ${prometheusName(this.#found)} ${why}, which the API server's proxy cannot pass on, so its targets cannot be read`
    return new UserError('PROMETHEUS_PROTECTED', message, {
      suggestions: [
        '--prometheus none   # changes only the workloads; its jobs and the proof are yours',
        '--prometheus NAMESPACE/NAME   # another one',
      ],
    })
  }

  #unreachable(why: string): UserError {
    const { namespace, object, resource } = this.#found
    return prometheusUnreachable(
      `Prometheus ${prometheusName(this.#found)} does not answer: ${why}`,
      sh`kubectl -n ${namespace} rollout status ${resource.kind.toLowerCase()}/${object.metadata.name}`,
    )
  }
}

export function prometheusUnreachable(message: string, suggestion: string): UserError {
  return new UserError('PROMETHEUS_UNREACHABLE', message, { suggestions: [suggestion] })
}
