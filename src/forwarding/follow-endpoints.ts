/** Watches the EndpointSlices of a Service and keeps the pods of its route up to date. */
import type { Cluster } from '../cluster/cluster.ts'
import type { EndpointSlice } from '../cluster/objects.ts'
import { ENDPOINT_SLICES } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { pause, type Timers } from '../time/timers.ts'
import type { PodRoute } from './pod-route.ts'
import { readyTargets } from './ready-targets.ts'

/** Where to watch: the endpoints of one port of a Service. */
export interface ServiceEndpoints {
  namespace: string
  service: string
  /** Name of the Service's port; '' for an unnamed port. */
  portName: string
  /** The Service's EndpointSlices, if they were read a moment ago. */
  slices: EndpointSlice[]
}

/** Label of an EndpointSlice with the name of its Service. */
export const SERVICE_LABEL = 'kubernetes.io/service-name'

interface WatchOptions {
  cluster: Cluster
  timers: Timers
  signal: AbortSignal
  /** @returns 0 to 1, for jitter: many clients must not reconnect at the same moment */
  chance(): number
  /** Called once when the watch breaks, and again only after it has worked. */
  lost(reason: string): void
}

/** Milliseconds without an event after which the first watch counts as empty: a Service without slices has no events. */
const EMPTY_AFTER = 400
/** The same for a later watch. Longer, because a slow API server is no reason to drop pods that are known from the watch before. */
const EMPTY_AFTER_KNOWN = 5_000
/** A watch begins with all slices, one by one. After this long without another one the list is complete. */
const COMPLETE_AFTER = 50
/** A younger watch is not restarted. */
const MIN_AGE = 1_000
const SHORTEST_PAUSE = 200
const LONGEST_PAUSE = 5_000

/** @throws UserError when the first watch is refused: a missing permission will still be missing in a second */
export async function followEndpoints(
  endpoints: ServiceEndpoints,
  route: PodRoute,
  options: WatchOptions,
): Promise<void> {
  const { timers, signal, chance } = options
  let failures = 0
  const outage = new Outage(options)
  const known = readyTargets(endpoints.slices, endpoints.portName)
  if (known.length > 0) route.update(known)
  for (let first = true; !signal.aborted; first = false) {
    const started = timers.now()
    const ending = AbortSignal.any([signal, endOnRecovery(route, options)])
    const broke = await watchOnce(endpoints, route, {
      ...options,
      signal: ending,
      outage,
      isNew: first && known.length === 0,
    })
      .then(() => undefined)
      .catch((error: Error) => error)
    if (broke !== undefined && first && !signal.aborted && isRefusal(broke)) throw broke
    if (broke !== undefined && !ending.aborted) outage.begin(broke)
    const lasted = timers.now() - started > LONGEST_PAUSE
    // The API server regularly ends watches: the next one begins at once, so that no change is missed.
    if (lasted && broke === undefined) continue
    failures = lasted ? 0 : failures + 1
    const longest = Math.min(SHORTEST_PAUSE * 2 ** failures, LONGEST_PAUSE)
    await pause(timers, longest * (0.5 + chance() / 2), ending)
  }
}

/**
 * Ends a watch that may hang on a dead connection: when tunnels work again after a failure, older connections cannot be trusted.
 * @returns the signal that ends it
 */
function endOnRecovery(route: PodRoute, { cluster, timers }: WatchOptions): AbortSignal {
  const ending = new AbortController()
  const started = timers.now()
  route.onRecovery(() => {
    if (timers.now() - started < MIN_AGE) return
    cluster.reconnect()
    ending.abort()
  })
  return ending.signal
}

/** Reports a broken watch once, until the watch works again. */
class Outage {
  readonly #lost: (reason: string) => void
  #reported = false

  constructor({ lost }: WatchOptions) {
    this.#lost = lost
  }

  begin({ message }: Error): void {
    if (!this.#reported) this.#lost(message)
    this.#reported = true
  }

  end(): void {
    this.#reported = false
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof UserError && error.code !== 'CLUSTER_UNREACHABLE'
}

interface OneWatch extends WatchOptions {
  outage: Outage
  /** No pods are known yet. */
  isNew: boolean
}

async function watchOnce(
  { namespace, service, portName }: ServiceEndpoints,
  route: PodRoute,
  { cluster, timers, signal, outage, isNew }: OneWatch,
): Promise<void> {
  const slices = new Map<string, EndpointSlice>()
  let isInitialList = true
  const update = () => {
    isInitialList = false
    callOff()
    route.update(readyTargets(slices.values(), portName))
  }
  let callOff = timers.after(isNew ? EMPTY_AFTER : EMPTY_AFTER_KNOWN, update)
  let isQuiet = true
  try {
    const labels = `${SERVICE_LABEL}=${service}`
    for await (const { type, object } of cluster.watch<EndpointSlice>(ENDPOINT_SLICES, { namespace, labels, signal })) {
      outage.end()
      if (type === 'BOOKMARK') continue
      if (type === 'DELETED') slices.delete(object.metadata.name)
      else slices.set(object.metadata.name, object)
      if (!isInitialList || (isNew && readyTargets(slices.values(), portName).length > 0)) update()
      else if (isQuiet) {
        callOff()
        callOff = timers.after(COMPLETE_AFTER, update)
      }
      isQuiet = false
    }
  } finally {
    callOff()
  }
}
