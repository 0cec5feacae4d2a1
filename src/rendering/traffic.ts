import type { TrafficResult } from '../traffic/result.ts'
import type { Progress } from '../traffic/run.ts'
import { findingLines } from './findings.ts'
import { type OutputFormat, page, renderData, tableLines } from './output.ts'

/** `412/1000  19.8/s  p50 12 ms  p99 40 ms  5xx 2  30 s left` */
export function renderProgress({
  done,
  requests,
  rate,
  p50,
  p99,
  refused,
  unanswered,
  left,
  isOver,
}: Progress): string {
  return [
    `${done}/${requests}`,
    `${rate.toFixed(1)}/s`,
    ...(p50 === undefined || p99 === undefined ? [] : [`p50 ${renderTime(p50)}`, `p99 ${renderTime(p99)}`]),
    ...(refused === 0 ? [] : [`5xx ${refused}`]),
    ...(unanswered === 0 ? [] : [`no answer ${unanswered}`]),
    isOver ? 'waiting for what the mesh recorded' : `${Math.ceil(left / 1_000)} s left`,
  ].join('  ')
}

/** Text for stdout and for stderr. */
export function renderTraffic(
  result: TrafficResult,
  format: OutputFormat | undefined,
): [stdout: string, stderr: string] {
  if (format !== undefined) return [renderData(result, format), '']
  const { target, statuses, errors, latency, seen } = result
  const counts = [
    ...Object.entries(statuses),
    ...errors.map(({ code, count }): [string, number] => [`no answer: ${code}`, count]),
  ]
  const lines = [
    `target      ${target.name}  ${target.url}`,
    `through     ${target.gateway === undefined ? 'the API server' : `gateway ${target.gateway}`}`,
    `requests    ${sentWords(result)}`,
    '',
    ...tableLines([['STATUS', 'REQUESTS'], ...counts.map(([status, count]) => [status, String(count)])]),
    ...(latency === undefined
      ? []
      : [
          '',
          ...tableLines([
            ['LATENCY', 'P50', 'P90', 'P99', 'MAX'],
            ['from due', ...[latency.p50, latency.p90, latency.p99, latency.max].map(renderTime)],
          ]),
        ]),
    ...seenLines(seen, result),
  ]
  return [page(lines), page(findingLines(result.warnings))]
}

const ENDS = { completed: '', stopped: '; stopped', overdue: '; not all in time', interrupted: '; interrupted' }

function sentWords({ sent, requests, milliseconds, rate, outcome }: TrafficResult): string {
  const seconds = (milliseconds / 1_000).toFixed(1)
  return `${sent} of ${requests} in ${seconds} s, ${rate.toFixed(1)} a second${ENDS[outcome]}`
}

function seenLines({ prometheus, traces, kiali }: TrafficResult['seen'], { target }: TrafficResult): string[] {
  const lines = [
    ...(prometheus === undefined
      ? []
      : [`Prometheus  ${prometheus} requests to ${target.service}.${target.namespace}`]),
    ...(traces === undefined ? [] : [`traces      ${traces}`]),
    ...(kiali === undefined ? [] : [`graph       ${kiali}`]),
  ]
  return lines.length === 0 ? [] : ['', ...lines]
}

function renderTime(milliseconds: number): string {
  return `${milliseconds >= 10 ? milliseconds.toFixed(0) : milliseconds.toFixed(1)} ms`
}
