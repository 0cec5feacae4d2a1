import { scrapeStatusFlags } from '../../flags/scraping.ts'
import { renderFindings } from '../../rendering/findings.ts'
import { renderScrapeStatus } from '../../rendering/scrape-status.ts'
import { scrapeStatus, succeeded } from '../../scraping/status.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'

export default class ScrapeSecureStatus extends TelemetryCommand {
  static override summary = 'Show which metrics are scraped over mutual TLS, and which are still plaintext'
  static override description =
    `Queries Prometheus for its targets, and one pod of each workload for plaintext metrics. Exits with 1 when a target is \
not up or is scraped twice, when pods are not replaced yet, or when the configuration no longer matches the workload. \
Plaintext metrics do not change the exit code. Changes nothing.`
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
      renderFindings(result.warnings),
      succeeded(result),
    )
  }
}
