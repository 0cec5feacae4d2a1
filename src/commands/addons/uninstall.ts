import { succeeded } from '../../changes/undo.ts'
import { uninstall } from '../../cleaning/uninstall.ts'
import { requireUninstallable, sampleArg, uninstallFlags } from '../../flags/addons.ts'
import { renderCleanup } from '../../rendering/cleanup.ts'
import { renderFindings } from '../../rendering/findings.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'

export default class AddonsUninstall extends TelemetryCommand {
  static override summary = 'Uninstall add-ons that "addons install" installed'
  static override description =
    `Deletes exactly the objects that "addons install" created, and looks again. Before that, removes exposures of these \
add-ons and Kiali's links to them, as "cleanup ADDON" does. Add-ons that others installed stay. A Prometheus that scrapes \
over mutual TLS is refused; "kubectl telemetry cleanup --scraping" comes first.`
  static override usage = '<%= command.id %> [ADDON...] [flags]'
  static override examples = [
    'All\n<%= config.bin %> addons uninstall',
    'One add-on\n<%= config.bin %> addons uninstall zipkin',
    'Print what would be removed\n<%= config.bin %> addons uninstall --dry-run=client',
  ]
  static override args = { addon: sampleArg('Add-ons to uninstall', 'all') }
  static override flags = uninstallFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(AddonsUninstall)
    const { namespace, yes, 'dry-run': dryRun } = flags
    const request = { samples: requireUninstallable(args.addon ?? []), namespace, yes, dryRun }
    const needs = { ...(await this.connect(flags)), samples: this.sampleFiles() }
    const result = await uninstall(request, needs)
    this.answer(renderCleanup(result, dryRun, flags.output, true), renderFindings(result.warnings), succeeded(result))
  }
}
