/** The result of `traffic`. Pure. */
import { type Finding, fails, noneFails, warns } from '../findings.ts'
import type { RunEnd, RunOutcome } from './run.ts'
import type { Latency } from './tally.ts'

/** The contract of `-o json`. */
export interface TrafficResult {
  outcome: RunEnd
  target: {
    name: string
    url: string
    via: 'gateway' | 'api-server'
    /** `NAMESPACE/SERVICE`. */
    gateway?: string
    service?: string
    namespace?: string
    paths: readonly string[]
  }
  /** In the User-Agent of the requests. */
  run: string
  requests: number
  sent: number
  /** A second, as it was. */
  rate: number
  milliseconds: number
  /** By status: how many. */
  statuses: Record<string, number>
  errors: { code: string; count: number }[]
  /** Milliseconds; left out without an answer. */
  latency?: Latency
  /** What the mesh recorded; left out where it is not known. */
  seen: { prometheus?: number; traces?: number; kiali?: string }
  warnings: Finding[]
}

/** Whether the exit code is 0, or that of an interruption. */
export function exitOf({ outcome, warnings }: TrafficResult): boolean | 'interrupted' {
  return outcome === 'interrupted' ? 'interrupted' : noneFails(warnings)
}

/** What a run says about itself. */
export function judged(
  { end, tally, sent, milliseconds }: RunOutcome,
  wanted: { requests: number; maxErrors: number },
): Finding[] {
  const { requests, maxErrors } = wanted
  const tooMany = end === 'stopped' || tally.share > maxErrors
  return [
    ...(tooMany ? [failed({ end, tally }, maxErrors)] : []),
    ...(end === 'overdue' ? [overdue({ sent, requests, rate: (tally.done * 1_000) / milliseconds })] : []),
  ]
}

function failed({ end, tally }: Pick<RunOutcome, 'end' | 'tally'>, maxErrors: number): Finding {
  const { failed: count, done } = tally
  const share = end === 'stopped' ? `${percent(tally.recentShare)} of the last ones` : percent(tally.share)
  const message = `${count} of ${done} requests failed (${share}; --max-errors ${percent(maxErrors)})${end === 'stopped' ? ', so the run was stopped' : ''}`
  const distrusted = [...tally.errors.keys()].some((code) => /CERT|VERIFY|ALTNAME/.test(code))
  return fails(
    'TRAFFIC_FAILED',
    message,
    ...(distrusted
      ? ['kubectl telemetry cert status   # is the served certificate of a CA that can be read here?']
      : []),
    'kubectl telemetry status   # does the page answer, and which hop fails?',
    '--max-errors 100%   # send all requests all the same',
  )
}

/** @param rate answers a second */
function overdue({ sent, requests, rate }: { sent: number; requests: number; rate: number }): Finding {
  return fails(
    'TRAFFIC_OVERDUE',
    `only ${sent} of ${requests} requests were sent in time: all connections waited for answers, of which ${rate.toFixed(1)} came in a second`,
    `--rate ${Math.max(0.1, Math.floor(rate * 10) / 10)}`,
    '--concurrency 32',
  )
}

/** @param refused requests with 401 or 403 */
export function guardRefused(name: string, refused: number): Finding {
  return warns(
    'TRAFFIC_GUARDED',
    `the guard of ${name} refused ${refused} requests (401 or 403), so they did not reach the Service`,
    'kubectl telemetry status   # who may enter',
  )
}

function percent(share: number): string {
  return `${Math.round(share * 1_000) / 10}%`
}
