import { renderTracingStatus } from '../../rendering/tracing.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'
import { succeeded, tracingStatus } from '../../tracing/status.ts'

export default class TracingStatus extends TelemetryCommand {
  static override summary = 'Show which requests are traced, where their spans go, and what is wrong'
  static override description =
    `Reads the mesh configuration of each control plane and all Telemetries, and decides as istiod does: which provider is used, \
and how many of the requests are traced that come without a decision. Telemetries for single workloads are not shown. Also shows which services the tracing backends \
have traces of, from the last hour. Changes nothing.`
  static override examples = ['<%= config.bin %> tracing status', '<%= config.bin %> tracing status -o json']

  async run(): Promise<void> {
    const { flags } = await this.parse(TracingStatus)
    const { cluster, clock } = await this.connect(flags)
    const status = await tracingStatus(cluster, clock.now())
    this.answer(renderTracingStatus(status, flags.output), '', succeeded(status))
  }
}
