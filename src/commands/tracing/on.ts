import { tracingOnFlags } from '../../flags/tracing.ts'
import { dryRunOf } from '../../flags/values.ts'
import { renderFindings } from '../../rendering/findings.ts'
import { renderProofProgress, renderTracingOn } from '../../rendering/tracing.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'
import { tracingOn } from '../../tracing/on.ts'
import { succeeded } from '../../tracing/result.ts'

export default class TracingOn extends TelemetryCommand {
  static override summary = 'Switch tracing on, and prove that a trace arrives'
  static override description =
    `Finds the tracing backend, adds a provider for it to the mesh configuration where none leads to it, and selects the \
provider by a Telemetry. No pod restarts. Then it requests something that is exposed, with a trace id of its own, and ends \
when the backend has the trace; otherwise it names the hop at which the trace was lost. A second run changes nothing. \
"kubectl telemetry tracing off" restores everything.`
  static override examples = [
    'One of ten requests\n<%= config.bin %> tracing on --sampling 10',
    'Every request of one namespace\n<%= config.bin %> tracing on -n bookinfo --sampling 100',
    'To an OpenTelemetry Collector\n<%= config.bin %> tracing on --backend svc/otel-collector.observability:4317',
    'Print what would change\n<%= config.bin %> tracing on --diff',
  ]
  static override flags = tracingOnFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(TracingOn)
    const { namespace, sampling, backend, revision, probe, timeout, yes } = flags
    const request = { namespace, sampling, backend, revision, probe, timeout, yes, dryRun: dryRunOf(flags) }
    const needs = { ...(await this.connect(flags)), askInside: await this.askInside() }
    const report = await tracingOn(request, needs, this.progress(flags, renderProofProgress))
    this.answer(
      renderTracingOn(report, request.dryRun, flags.output, flags.diff),
      renderFindings(report.result.warnings),
      succeeded(report.result),
    )
  }
}
