import type { TracingStatus } from '../tracing/status.ts'
import { findingLines } from './findings.ts'
import { type OutputFormat, page, renderData, tableLines } from './output.ts'

export function renderTracingStatus(status: TracingStatus, format: OutputFormat | undefined): string {
  if (format !== undefined) return renderData(status, format)
  const problems = findingLines(status.problems)
  return page([
    `context  ${status.context}`,
    '',
    ...tableLines([['REVISION', 'CONFIGMAP', 'PROVIDER', 'KIND', 'SENDS TO'], ...status.revisions.flatMap(providers)]),
    '',
    ...tableLines([
      ['REVISION', 'NAMESPACE', 'TRACED', 'PROVIDER', 'SAMPLING', 'SET BY'],
      ...status.namespaces.map((one) => [
        one.revision,
        one.namespace || 'all others',
        TRACED[`${one.sent} ${one.received}`],
        one.provider ?? '-',
        one.from === undefined ? '-' : one.sampling === undefined ? 'by the provider' : `${one.sampling} %`,
        setBy(one),
      ]),
    ]),
    ...(problems.length === 0 ? [] : ['', ...problems]),
  ])
}

const TRACED = {
  'true true': 'yes',
  'true false': 'only what it sends',
  'false true': 'only what it receives',
  'false false': 'no',
}

/** A row for each provider. */
function providers({ revision, namespace, configMap, providers: all }: TracingStatus['revisions'][0]): string[][] {
  const where = `${namespace}/${configMap}`
  if (all.length === 0) return [[revision, where, 'none', '-', '-']]
  return all.map(({ name, kind = '-', service, port }) => [revision, where, name, kind, `${service}:${port ?? '?'}`])
}

function setBy({ from, telemetry }: TracingStatus['namespaces'][0]): string {
  switch (from?.by) {
    case 'telemetry':
      return `Telemetry ${from.namespace}/${from.name}`
    case 'mesh':
      return 'the mesh configuration'
    case 'istiod':
      return "istiod's PILOT_TRACE_SAMPLING"
    case 'provider':
      return 'the provider'
    case 'default':
      return "Istio's default"
    default:
      return telemetry === undefined ? '-' : `Telemetry ${telemetry}`
  }
}
