/** Notices that the new pods of a workload are refused (PodSecurity, quota, a webhook, an image), which no waiting repairs. */
import type { Cluster } from '../cluster/cluster.ts'
import { type Event, isReady, isStaying, labelSelector, type Pod } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { EVENTS, PODS } from '../cluster/resources.ts'
import type { Clock } from '../time/clock.ts'
import { serverTime } from '../time/server-time.ts'
import { creationRefused, startRefused } from './rollout.ts'
import type { WorkloadObject } from './workload-object.ts'

/** Milliseconds between two reads of pods and events. */
const LOOK_EVERY = 2_500
/** Milliseconds for which a refusal has to last: a quota is free again when old pods have ended, a webhook when its pods have started. */
const LASTING = 8_000
/** An image is pulled again after ten seconds. */
const LASTING_PULL = 15_000
/** Events have seconds, and clocks differ by a little. */
const TOLERANCE = 2_000

export class RefusalWatch {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #began: Date
  #looked = 0
  #why: string | undefined
  #lasting = LASTING
  #since: number | undefined

  constructor(cluster: Cluster, clock: Clock) {
    this.#cluster = cluster
    this.#clock = clock
    this.#began = serverTime({ cluster, clock })
    this.#looked = clock.now().getTime()
  }

  /** The refusal that was seen last. */
  get why(): string | undefined {
    return this.#why
  }

  /** @returns the refusal, once it has lasted */
  async look(object: WorkloadObject): Promise<string | undefined> {
    const now = this.#clock.now().getTime()
    if (now - this.#looked < LOOK_EVERY) return undefined
    this.#looked = now
    await this.#read(object)
    if (this.#why === undefined) this.#since = undefined
    else this.#since ??= now
    return this.#since !== undefined && now - this.#since >= this.#lasting ? this.#why : undefined
  }

  async #read(object: WorkloadObject): Promise<void> {
    const { namespace = '' } = object.metadata
    const labels = labelSelector(object.spec.selector?.matchLabels ?? {})
    const pods = (await readable(this.#cluster.list<Pod>(PODS, { namespace, labels }))) ?? []
    const atStart = startRefused(pods.filter((pod) => isStaying(pod) && !isReady(pod)))
    // While old pods end, a quota may be used up for a moment.
    const isLeaving = pods.some((pod) => !isStaying(pod))
    const atCreation = isLeaving ? undefined : (creationRefused(object) ?? (await this.#inEvents(object)))
    this.#why = atCreation ?? atStart
    this.#lasting = atCreation === undefined ? LASTING_PULL : LASTING
  }

  /** Only a Deployment has a condition for it. */
  async #inEvents({ kind, metadata: { name, namespace = '' } }: WorkloadObject): Promise<string | undefined> {
    if (kind === 'Deployment') return undefined
    const fields = `involvedObject.kind=${kind},involvedObject.name=${name},reason=FailedCreate`
    const events = (await readable(this.#cluster.list<Event>(EVENTS, { namespace, fields }))) ?? []
    const since = this.#began.getTime() - TOLERANCE
    const last = events.findLast((event) => timeOf(event) >= since)
    return last && `FailedCreate: ${last.message ?? ''}`
  }
}

function timeOf({ lastTimestamp, eventTime, series }: Event): number {
  return Date.parse(series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? '') || 0
}
