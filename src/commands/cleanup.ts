import { TelemetryCommand } from '../base-command.ts'
import { dryRun, yes } from '../flags.ts'
import { cleanup, succeeded } from '../operations/cleanup.ts'
import { renderCleanup } from '../rendering/cleanup.ts'

export default class Cleanup extends TelemetryCommand {
  static override summary = 'remove everything that kubectl telemetry made in the cluster'
  static override description =
    `removes exactly the objects that carry our label, in any namespace, and looks again. The certificate authority on
this machine is kept: clients that trust it need not do so again after the next "expose".`
  static override examples = ['<%= config.bin %> cleanup', '<%= config.bin %> cleanup --dry-run=client']
  static override flags = { 'dry-run': dryRun(), yes }

  async run(): Promise<void> {
    const { flags } = await this.parse(Cleanup)
    const request = { yes: flags.yes, dryRun: flags['dry-run'] }
    const result = await cleanup(request, await this.connect(flags))
    this.answer(renderCleanup(result, request.dryRun, flags.output), '', succeeded(result))
  }
}
