/** How many traces the tracing backends have of the requests. */
import { canBeAsked } from '../backends/api.ts'
import { countTraces, type TraceSearch } from '../backends/count-traces.ts'
import { findBackends, type TracingBackend } from '../backends/find.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { readServices } from '../cluster/reading.ts'
import { UserError } from '../errors.ts'
import { type Finding, notes } from '../findings.ts'
import type { Clock } from '../time/clock.ts'
import { until } from '../time/until.ts'

/** Milliseconds. Envoy sends its spans every five seconds. */
const PAUSE = 3_000
const TIMEOUT = 12_000

export interface Traced {
  /** Left out without a backend, and where it is not known. */
  traces?: number
  findings: Finding[]
}

interface Look {
  count: number
  /** Whether there are no more than at the last look. */
  settled: boolean
}

/** Waits until no more traces arrive. */
export async function readTraces(
  search: TraceSearch,
  { cluster, clock }: { cluster: Cluster; clock: Clock },
  signal: AbortSignal,
): Promise<Traced> {
  if (search.requests === 0) return { findings: [] }
  try {
    const backends = (await findBackends(await readServices(cluster), cluster)).filter(canBeAsked)
    if (backends.length === 0) return { findings: [] }
    let looked = 0
    let last = 0
    const look = async (): Promise<Look> => {
      const count = await most(search, backends, cluster)
      const settled = looked++ > 1 && count === last
      last = count
      return { count, settled: settled || count === search.requests }
    }
    const isDone = ({ settled }: Look) => settled
    const { count } = await until({ look, isDone, pause: PAUSE, timeout: TIMEOUT, signal }, clock)
    return { traces: count, findings: [] }
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    const message = `how many traces there are of the requests is not known: ${error.message}`
    return { findings: [notes('TRAFFIC_TRACES_UNREAD', message, 'kubectl telemetry tracing status')] }
  }
}

/** Spans may go to several backends: traces are not counted twice. */
async function most(search: TraceSearch, backends: readonly TracingBackend[], cluster: Cluster): Promise<number> {
  const counts = await Promise.all(backends.map((one) => countTraces(search, one, cluster)))
  return Math.max(...counts)
}
