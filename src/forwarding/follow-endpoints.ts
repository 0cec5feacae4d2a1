/** Keeps a route's pods as the cluster has them, for as long as it runs: watched, not polled. */
import type { Cluster } from '../cluster/cluster.ts'
import type { EndpointSlice } from '../cluster/objects.ts'
import { ENDPOINT_SLICES } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { pause, type Timers } from '../time/timers.ts'
import type { PodRoute } from './pod-route.ts'
import { readyTargets } from './ready-targets.ts'

export interface Followed {
  namespace: string
  service: string
  /** Name of the Service's port; '' for the only one. */
  portName: string
  /** Its EndpointSlices, if they were read a moment ago. */
  slices: EndpointSlice[]
}

/** Says which Service an EndpointSlice is of. */
export const SERVICE_LABEL = 'kubernetes.io/service-name'

interface Following {
  cluster: Cluster
  timers: Timers
  signal: AbortSignal
  /** 0 to 1, for jitter: many clients must not come back at the same moment. */
  chance(): number
  /** The watch broke, for this reason. Told once, until it works again. */
  lost(reason: string): void
}

/** Without any slice a watch says nothing; after this long it is taken for that. */
const SILENCE = 400
/** When pods are known from the watch before: a slow API server is no reason to leave them. */
const LONG_SILENCE = 5_000
/** A watch begins with all slices, one by one: pods of those still to come are not gone. */
const BEGINNING = 50
/** A watch that is younger is not begun anew. */
const YOUNG = 1_000
const SHORTEST_PAUSE = 200
const LONGEST_PAUSE = 5_000

/** @throws UserError when the first try is refused: what is not allowed will not be in a second */
export async function followEndpoints(followed: Followed, route: PodRoute, following: Following): Promise<void> {
  const { timers, signal, chance } = following
  let failures = 0
  const outage = new Outage(following)
  const known = readyTargets(followed.slices, followed.portName)
  if (known.length > 0) route.update(known)
  for (let first = true; !signal.aborted; first = false) {
    const started = timers.now()
    const ending = AbortSignal.any([signal, anew(route, following)])
    const broke = await watchOnce(
      followed,
      route,
      { ...following, signal: ending },
      first && known.length === 0,
      outage,
    )
      .then(() => undefined)
      .catch((error: Error) => error)
    if (broke !== undefined && first && !signal.aborted && isRefusal(broke)) throw broke
    if (broke !== undefined && !ending.aborted) outage.begin(broke)
    const lasted = timers.now() - started > LONGEST_PAUSE
    // The API server ends every watch one day: nothing that happens meanwhile is to be missed.
    if (lasted && broke === undefined) continue
    failures = lasted ? 0 : failures + 1
    const longest = Math.min(SHORTEST_PAUSE * 2 ** failures, LONGEST_PAUSE)
    await pause(timers, longest * (0.5 + chance() / 2), ending)
  }
}

/** @returns the end of a watch that may be of a dead connection: tunnels work again, and what was there before them is not to be trusted */
function anew(route: PodRoute, { cluster, timers }: Following): AbortSignal {
  const ending = new AbortController()
  const started = timers.now()
  route.recovered = () => {
    if (timers.now() - started < YOUNG) return
    cluster.reconnect()
    ending.abort()
  }
  return ending.signal
}

/** Tells once that the watch broke, until it works again. */
class Outage {
  readonly #lost: (reason: string) => void
  #told = false

  constructor({ lost }: Following) {
    this.#lost = lost
  }

  begin({ message }: Error): void {
    if (!this.#told) this.#lost(message)
    this.#told = true
  }

  end(): void {
    this.#told = false
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof UserError && error.code !== 'CLUSTER_UNREACHABLE'
}

/** @param isNew whether nothing is known of the pods yet */
async function watchOnce(
  { namespace, service, portName }: Followed,
  route: PodRoute,
  { cluster, timers, signal }: Following,
  isNew: boolean,
  outage: Outage,
): Promise<void> {
  const slices = new Map<string, EndpointSlice>()
  let begins = true
  const update = () => {
    begins = false
    callOff()
    route.update(readyTargets(slices.values(), portName))
  }
  let callOff = timers.after(isNew ? SILENCE : LONG_SILENCE, update)
  let isQuiet = true
  try {
    const labels = `${SERVICE_LABEL}=${service}`
    for await (const { type, object } of cluster.watch<EndpointSlice>(ENDPOINT_SLICES, { namespace, labels, signal })) {
      outage.end()
      if (type === 'BOOKMARK') continue
      if (type === 'DELETED') slices.delete(object.metadata.name)
      else slices.set(object.metadata.name, object)
      if (!begins || (isNew && readyTargets(slices.values(), portName).length > 0)) update()
      else if (isQuiet) {
        callOff()
        callOff = timers.after(BEGINNING, update)
      }
      isQuiet = false
    }
  } finally {
    callOff()
  }
}
