import { succeeded } from '../changes/undo.ts'
import { cleanup } from '../cleaning/cleanup.ts'
import { isPartial } from '../exposing/undo/undo.ts'
import { cleanupFlags } from '../flags/cleanup.ts'
import { exposedArg, requireExposed } from '../flags/values.ts'
import { renderCleanup } from '../rendering/cleanup.ts'
import { renderFindings } from '../rendering/findings.ts'
import { TelemetryCommand } from '../telemetry-command.ts'

export default class Cleanup extends TelemetryCommand {
  static override summary = 'Remove exposed add-ons and Services, and every object created for them'
  static override description =
    `Deletes exactly the objects that kubectl telemetry created for exposures, in any namespace, restores the fields that \
it changed in other objects, and checks the result. Keeps the CA on this machine, so clients that trust it also trust \
the next exposure. Does not undo scrape-secure; --scraping does.`
  static override usage = '<%= command.id %> [ADDON... | svc/NAME...] [flags]'
  static override examples = [
    'Remove all exposures\n<%= config.bin %> cleanup',
    'Remove one add-on; the others stay exposed\n<%= config.bin %> cleanup kiali',
    'Remove one Service\n<%= config.bin %> cleanup svc/productpage -n bookinfo',
    'Remove expired exposures without a question, for example in a CronJob\n<%= config.bin %> cleanup --expired -y',
    'Undo scrape-secure\n<%= config.bin %> cleanup --scraping',
    'Print what would be removed\n<%= config.bin %> cleanup --dry-run=client',
  ]
  static override args = { addon: exposedArg('Add-ons to remove', 'svc/NAME') }
  static override flags = cleanupFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Cleanup)
    const request = {
      ...requireExposed(args.addon ?? []),
      namespace: flags.namespace,
      expired: flags.expired,
      documentedSetup: flags['documented-setup'] ? (flags.namespace ?? 'istio-system') : undefined,
      certificates: flags.certificates,
      scraping: flags.scraping ? { timeout: flags.timeout } : undefined,
      yes: flags.yes,
      dryRun: flags['dry-run'],
    }
    const result = await cleanup(request, await this.connect(flags))
    this.answer(
      renderCleanup(result, request.dryRun, flags.output, isPartial(request) || flags.scraping),
      renderFindings(result.warnings),
      succeeded(result),
    )
  }
}
