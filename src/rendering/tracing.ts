import type { ProofProgress } from '../tracing/proving/proof.ts'
import type { TracingProof, TracingReport } from '../tracing/result.ts'
import type { TracingStatus } from '../tracing/status.ts'
import { findingLines } from './findings.ts'
import { dryRunMark, type OutputFormat, page, renderData, renderObject, tableLines } from './output.ts'
import { renderPlan } from './plan.ts'

/** The status line while the trace is on its way. */
export function renderProofProgress({ elapsed, requests }: ProofProgress): string {
  const sent = requests === 1 ? '1 request' : `${requests} requests`
  return `waiting for the trace: ${Math.round(elapsed / 1000)} s, ${sent} sent (proxies send spans every 5 s)`
}

export function renderTracingOn(
  report: TracingReport,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
  diff: boolean,
): string {
  const planned = renderPlan(report, dryRun, format, diff)
  if (planned !== undefined) return planned
  const { outcome, revisions, telemetry, sampling, backend, proof } = report.result
  if (outcome === 'declined') return 'nothing was changed'
  const { namespace, name } = telemetry
  const to = backend === undefined ? '' : ` (${backend.title} in ${backend.namespace})`
  return page([
    ...report.objects.map((object) => `${renderObject(object, object.action)}${dryRunMark(dryRun)}`),
    ...(report.objects.length === 0 ? [] : ['']),
    ...revisions.map(
      ({ revision, provider }) =>
        `revision ${revision}  provider ${provider.name} (${provider.kind}) sends to ${provider.service}:${provider.port}${to}`,
    ),
    `sampling  ${sampling === undefined ? 'decided by the provider' : `${sampling} %`}, Telemetry ${namespace}/${name}`,
    ...(proof === undefined ? [] : [`trace     ${proven(proof)}`]),
  ])
}

function proven({ ok, url, traceId, spans = 0, services = [], milliseconds = 0, hop }: TracingProof): string {
  if (!ok) return `NOT ARRIVED (${hop}): ${url}`
  const counted = `${spans} ${spans === 1 ? 'span' : 'spans'} of ${services.join(', ')}`
  return `${traceId} arrived after ${(milliseconds / 1000).toFixed(1)} s: ${counted} (${url})`
}

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
    ...(status.backends.length === 0 ? [] : ['', ...tableLines([BACKENDS, ...status.backends.map(backend)])]),
    ...(problems.length === 0 ? [] : ['', ...problems]),
  ])
}

const BACKENDS = ['BACKEND', 'NAMESPACE', 'TRACES IN THE LAST HOUR', 'SERVICES']
/** The most names of services in a row. */
const NAMED = 6

function backend({ title, namespace, recent }: TracingStatus['backends'][0]): string[] {
  if (recent === undefined) return [title, namespace, 'not read', '-']
  const { traces, more, services } = recent
  const names = services.slice(0, NAMED).join(', ')
  const rest = services.length > NAMED ? ` and ${services.length - NAMED} more` : ''
  return [title, namespace, `${traces}${more ? ' or more' : ''}`, names === '' ? '-' : `${names}${rest}`]
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
