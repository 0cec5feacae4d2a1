import { Args, Flags } from '@oclif/core'
import { requireAddons } from '../addons/catalog.ts'
import { cleanup, succeeded } from '../cleaning/cleanup.ts'
import { scrapingCleanupFlags } from '../flags/scraping.ts'
import { dryRun, yes } from '../flags/values.ts'
import { renderCleanup } from '../rendering/cleanup.ts'
import { renderWarnings } from '../rendering/findings.ts'
import { TelemetryCommand } from '../telemetry-command.ts'

export default class Cleanup extends TelemetryCommand {
  static override summary = 'remove everything that kubectl telemetry made in the cluster'
  static override description =
    `removes exactly the objects that carry our label, in any namespace, and looks again. The certificate authority on
this machine is kept: clients that trust it need not do so again after the next "expose".`
  static override examples = [
    '<%= config.bin %> cleanup',
    '<%= config.bin %> cleanup kiali',
    '<%= config.bin %> cleanup --expired -y',
    '<%= config.bin %> cleanup --scraping',
    '<%= config.bin %> cleanup --dry-run=client',
  ]
  static override args = {
    addon: Args.string({
      name: 'addon',
      multiple: true,
      description: 'add-ons to take away; the others stay (default: everything)',
    }),
  }
  static override flags = {
    certificates: Flags.boolean({
      description: 'also delete the certificate authorities kept on this machine, whichever cluster they were made for',
    }),
    'documented-setup': Flags.boolean({
      description: "also remove what was made by hand after Istio's page (in istio-system, or the namespace of -n)",
    }),
    expired: Flags.boolean({ description: 'only the add-ons whose time is over (expose --ttl)' }),
    ...scrapingCleanupFlags,
    'dry-run': dryRun(),
    yes,
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Cleanup)
    const request = {
      addons: requireAddons(args.addon ?? []),
      expired: flags.expired,
      documentedSetup: flags['documented-setup'] ? (flags.namespace ?? 'istio-system') : undefined,
      certificates: flags.certificates,
      scraping: flags.scraping ? { timeout: flags.timeout } : undefined,
      yes: flags.yes,
      dryRun: flags['dry-run'],
    }
    const result = await cleanup(request, await this.connect(flags))
    this.answer(
      renderCleanup(result, request.dryRun, flags.output, flags.expired || flags.scraping),
      renderWarnings(result.warnings),
      succeeded(result),
    )
  }
}
