import { succeeded } from '../../changes/undo.ts'
import { tracingOffFlags } from '../../flags/tracing.ts'
import { renderCleanup } from '../../rendering/cleanup.ts'
import { renderFindings } from '../../rendering/findings.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'
import { tracingOff } from '../../tracing/off.ts'

export default class TracingOff extends TelemetryCommand {
  static override summary = 'Switch tracing off: remove what "tracing on" made'
  static override description =
    `Removes the Telemetries of "tracing on", then its provider from the mesh configuration, whose text and owners are then \
the same as before. With -n, only that namespace: where the rest of the mesh is traced, it gets a Telemetry that reports no spans.`
  static override examples = [
    '<%= config.bin %> tracing off',
    'One namespace of a traced mesh\n<%= config.bin %> tracing off -n payments',
  ]
  static override flags = tracingOffFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(TracingOff)
    const { namespace, yes, 'dry-run': dryRun } = flags
    const result = await tracingOff({ namespace, yes, dryRun }, await this.connectCluster(flags))
    this.answer(renderCleanup(result, dryRun, flags.output, true), renderFindings(result.warnings), succeeded(result))
  }
}
