import { scrapeStatusFlags } from '../../flags/scraping.ts'
import { renderWarnings } from '../../rendering/findings.ts'
import { renderScrapeStatus } from '../../rendering/scrape-status.ts'
import { scrapeStatus, succeeded } from '../../scraping/status.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'

export default class ScrapeSecureStatus extends TelemetryCommand {
  static override summary =
    'show what is scraped over Istio mutual TLS, how, whether it is up, and what is still in clear'
  static override description =
    `asks Prometheus for its targets, and a pod of each workload at the ports in clear. Exits with 1 when a target is
not up or scraped twice, when pods are not replaced, or when what was written does not fit any more; metrics in clear alone
are no failure. Changes nothing.`
  static override examples = [
    '<%= config.bin %> scrape-secure status',
    '<%= config.bin %> scrape-secure status -n shop',
    '<%= config.bin %> scrape-secure status -o json',
  ]
  static override flags = scrapeStatusFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(ScrapeSecureStatus)
    const request = { namespaces: flags.namespace ?? [], prometheus: flags.prometheus }
    const result = await scrapeStatus(request, await this.connect(flags))
    this.answer(
      renderScrapeStatus(result, request.namespaces, flags.output),
      renderWarnings(result.warnings),
      succeeded(result),
    )
  }
}
