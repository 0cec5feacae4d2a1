/** What Prometheus recorded of the requests: `istio_requests_total` of the Service, before and afterwards. */
import type { Cluster } from '../cluster/cluster.ts'
import type { Pod } from '../cluster/objects.ts'
import { UserError } from '../errors.ts'
import { type Finding, notes, warns } from '../findings.ts'
import { PrometheusApi } from '../prometheus/api.ts'
import { prometheusName } from '../prometheus/find.ts'
import { readPrometheuses, requirePrometheus } from '../prometheus/survey.ts'
import type { Clock } from '../time/clock.ts'
import { until } from '../time/until.ts'
import type { Destination } from './foreign.ts'

/** The proxy of the pods counts every request; where they have none, that of the gateway does. */
const REPORTERS = ['destination', 'waypoint', 'source'] as const

/** By reporter. */
type Counts = ReadonlyMap<string, number>

/** Milliseconds. */
const PAUSE = 1_000
const LONGEST_WAIT = 120_000

export interface Counted {
  /** Left out where it is not known. */
  requests?: number
  findings: Finding[]
}

/** A Prometheus, and its counts before the first request. */
export class Counting {
  readonly #api: PrometheusApi
  readonly #pod: Pod
  readonly #name: string
  readonly #query: string
  readonly #before: Counts
  /** Milliseconds. */
  readonly #interval: number

  private constructor(place: { api: PrometheusApi; pod: Pod; name: string }, query: string, first: First) {
    this.#api = place.api
    this.#pod = place.pod
    this.#name = place.name
    this.#query = query
    this.#before = first.counts
    this.#interval = first.interval
  }

  /** @returns why it is not possible, where that is so */
  static async begin(
    { service, namespace }: Destination,
    named: string | undefined,
    cluster: Cluster,
  ): Promise<Counting | Finding> {
    const query = `sum by (reporter) (istio_requests_total{destination_service_name="${service}",destination_service_namespace="${namespace}"})`
    try {
      const found = requirePrometheus(await readPrometheuses(cluster, named?.split('/')[0]), named)
      const api = new PrometheusApi(cluster, found)
      const [pod] = await api.pods()
      const name = prometheusName(found)
      if (pod === undefined) return notCounted(`no pod of Prometheus ${name} is Ready`)
      const [counts, interval] = await Promise.all([countsOf(api, pod, query), api.scrapeInterval(pod)])
      return new Counting({ api, pod, name }, query, { counts, interval })
    } catch (error) {
      return whyNot(error)
    }
  }

  /**
   * Waits until Prometheus has scraped the proxies again, for at most two intervals.
   * @param expected how many requests the Service received: those that were answered, and at most those that were sent
   * @param signal ends the wait
   */
  async end(expected: Expected, clock: Clock, signal: AbortSignal): Promise<Counted> {
    try {
      const last = await until<number | undefined>(
        {
          look: async () => this.#increase(await countsOf(this.#api, this.#pod, this.#query)),
          isDone: (increase) => increase === undefined || increase >= expected.answered,
          pause: PAUSE,
          timeout: Math.min(2 * this.#interval + PAUSE, LONGEST_WAIT),
          signal,
        },
        clock,
      )
      return this.#judged(last, expected)
    } catch (error) {
      return { findings: [whyNot(error)] }
    }
  }

  /** @returns undefined where the count has become lower: the proxy or Prometheus began again */
  #increase(counts: Counts): number | undefined {
    const reporter = REPORTERS.find((one) => counts.has(one))
    if (reporter === undefined) return this.#before.size === 0 ? 0 : undefined
    const increase = (counts.get(reporter) ?? 0) - (this.#before.get(reporter) ?? 0)
    return increase < 0 ? undefined : Math.round(increase)
  }

  #judged(requests: number | undefined, { answered, sent }: Expected): Counted {
    if (requests === undefined)
      return { findings: [notCounted(`the counts in Prometheus ${this.#name} began again during the run`)] }
    if (requests < answered) return { requests, findings: [this.#less(requests, answered)] }
    if (requests <= sent) return { requests, findings: [] }
    const message = `Prometheus ${this.#name} counts ${requests - sent} more requests to the Service than were sent: others send requests, too, or some were sent just before`
    return { requests, findings: [notes('TRAFFIC_OTHERS', message)] }
  }

  #less(requests: number, answered: number): Finding {
    const seconds = Math.round((2 * this.#interval) / 1_000)
    const message = `Prometheus ${this.#name} has ${requests} of ${answered} requests after two scrape intervals (${seconds} s)`
    return warns(
      'TRAFFIC_COUNTED_LESS',
      message,
      'kubectl telemetry scrape-secure status   # does Prometheus scrape the proxies?',
      'kubectl get telemetries.telemetry.istio.io -A   # does one switch metrics off?',
    )
  }
}

interface Expected {
  answered: number
  sent: number
}

interface First {
  counts: Counts
  interval: number
}

async function countsOf(api: PrometheusApi, pod: Pod, query: string): Promise<Counts> {
  return new Map((await api.query(pod, query)).map(({ labels, value }) => [labels.reporter ?? '', value]))
}

function whyNot(error: unknown): Finding {
  if (!(error instanceof UserError)) throw error
  return notCounted(error.message)
}

/** An absent or unreadable Prometheus is no failure. */
export function notCounted(why: string): Finding {
  return notes(
    'TRAFFIC_UNCOUNTED',
    `what Prometheus recorded of the requests is not known: ${why}`,
    '--prometheus NAMESPACE/NAME   # the one that scrapes the mesh; none: do not ask',
  )
}
