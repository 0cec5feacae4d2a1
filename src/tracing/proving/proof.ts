/** Proves that traces arrive: requests something, and looks for the trace in the backend. */
import { type FoundTrace, readTrace } from '../../backends/api.ts'
import type { TracingBackend } from '../../backends/find.ts'
import { hasCode, type UserError } from '../../errors.ts'
import type { Probe } from '../../probing/prober.ts'
import { until, waitFor } from '../../time/until.ts'
import type { Dependencies } from '../../world.ts'
import type { TraceTarget } from './target.ts'
import { traceRequest } from './trace-request.ts'

/** Where a trace was lost, in the order of its way. */
export type TraceHop = 'request' | 'proxy' | 'collector' | 'backend'

export interface Arrival extends FoundTrace {
  traceId: string
  /** From the change, or from the first request. */
  milliseconds: number
}

/** Traces that did not arrive. */
export interface Loss {
  /** The last answer. */
  probe: Probe
  /** Why the backend could not be asked the last time. */
  error?: UserError
}

export interface ProofProgress {
  /** Milliseconds. */
  elapsed: number
  requests: number
}

interface ProofOptions {
  changed: boolean
  timeout: number
  progress?: ((progress: ProofProgress) => void) | undefined
}

type Needs = Pick<Dependencies, 'cluster' | 'prober' | 'clock' | 'random'>

/** Milliseconds between two looks. */
const PAUSE = 500
/** A proxy that has no tracing yet makes no span, so the request is repeated: each second at first, then when Envoy has sent its spans, every 5 s. */
const OFTEN = { count: 4, pause: 1_000 }
const SELDOM = 5_000
/**
 * Until proxies have a changed configuration: with the one before, a trace may arrive by another way. It costs no time, since spans are sent
 * 5 s after the change.
 */
const SETTLING = 2_000
/** How many of the last requests are looked for. */
const LOOKED_FOR = 4
/** Milliseconds. Each proxy sends its spans at a time of its own, so a trace is whole when nothing more has come for a while. */
const QUIET = 1_000
const LONGEST_GROWTH = 5_000

interface Look {
  found?: FoundTrace & { traceId: string }
  error?: UserError
}

/** @param changed whether the configuration was changed just before @param timeout milliseconds @throws UserError FORBIDDEN when the backend may not be asked */
export async function proveTrace(
  target: TraceTarget,
  backend: TracingBackend,
  { changed, timeout, progress }: ProofOptions,
  needs: Needs,
): Promise<Arrival | Loss> {
  const { prober, clock, random, cluster } = needs
  const started = clock.now().getTime()
  if (changed) await waitFor(SETTLING, clock)
  const sent: string[] = []
  let probe: Probe | undefined
  let next = started
  const request = async () => {
    const { traceId, headers } = traceRequest(random(24))
    probe = await prober.probe({ ...target.probe, headers })
    sent.push(traceId)
    next = clock.now().getTime() + (sent.length < OFTEN.count ? OFTEN.pause : SELDOM)
  }
  const look = async (): Promise<Look> => {
    if (clock.now().getTime() >= next) await request()
    // The newest first: when it was sent, more proxies had their new configuration.
    return lookFor(sent.slice(-LOOKED_FOR).reverse(), backend, cluster)
  }
  const last = await until<Look>(
    {
      look,
      isDone: ({ found }) => found !== undefined,
      pause: PAUSE,
      timeout,
      progress: (_, elapsed) => progress?.({ elapsed, requests: sent.length }),
    },
    clock,
  )
  const milliseconds = clock.now().getTime() - started
  if (last.found === undefined)
    return { probe: probe as Probe, ...(last.error === undefined ? {} : { error: last.error }) }
  return { ...(await grown(last.found, backend, needs)), milliseconds }
}

/** The trace when no more spans come, or the time is over. */
async function grown(first: NonNullable<Look['found']>, backend: TracingBackend, needs: Needs) {
  let found = first
  const look = async () => {
    await waitFor(QUIET, needs.clock)
    const before = found.spans
    found = (await lookFor([first.traceId], backend, needs.cluster)).found ?? found
    return found.spans === before
  }
  await until({ look, isDone: (isQuiet) => isQuiet, pause: 0, timeout: LONGEST_GROWTH }, needs.clock)
  return found
}

async function lookFor(ids: readonly string[], backend: TracingBackend, cluster: Needs['cluster']): Promise<Look> {
  try {
    for (const traceId of ids) {
      const found = await readTrace(traceId, backend, cluster)
      if (found !== undefined) return { found: { ...found, traceId } }
    }
    return {}
  } catch (error) {
    if (hasCode(error, 'BACKEND_UNREACHABLE')) return { error }
    throw error
  }
}
