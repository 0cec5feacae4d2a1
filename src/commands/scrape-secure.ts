import { requireWorkloadNames, scrapeFlags, workloadArg } from '../flags/scraping.ts'
import { dryRunOf } from '../flags/values.ts'
import { renderFindings } from '../rendering/findings.ts'
import { renderScrapeProgress, renderScrapeSecure, renderTargets } from '../rendering/scrape-secure.ts'
import { succeeded } from '../scraping/result.ts'
import { scrapeSecure } from '../scraping/scrape-secure.ts'
import { TelemetryCommand } from '../telemetry-command.ts'

export default class ScrapeSecure extends TelemetryCommand {
  static override summary = 'Let Prometheus scrape sidecars and gateways over Istio mutual TLS'
  static override description =
    `Picks the method for the running Istio version and changes pod templates, which restarts pods, one workload at a time; \
stops at the first workload that does not become ready. Ends when Prometheus reports every pod as up. A second run \
changes nothing. "kubectl telemetry cleanup --scraping" undoes it.`
  static override usage = '<%= command.id %> [WORKLOAD...] [flags]'
  static override examples = [
    'All workloads with a sidecar in one namespace\n<%= config.bin %> scrape-secure -n shop',
    'Two workloads\n<%= config.bin %> scrape-secure deploy/web sts/db -n shop',
    'All workloads and gateways\n<%= config.bin %> scrape-secure -A --gateways',
    'Let the API server validate the changes\n<%= config.bin %> scrape-secure -l app=web --dry-run=server',
  ]
  static override args = { workload: workloadArg }
  static override flags = scrapeFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ScrapeSecure)
    const dryRun = dryRunOf(flags)
    const request = {
      names: requireWorkloadNames(args.workload ?? []),
      namespaces: flags.namespace ?? [],
      allNamespaces: flags['all-namespaces'],
      selector: flags.selector,
      gateways: flags.gateways,
      method: flags.method,
      harden: flags.harden,
      onlyPrometheus: flags['only-prometheus'],
      prometheus: flags.prometheus,
      timeout: flags.timeout,
      yes: flags.yes,
      dryRun,
    }
    const needs = { ...(await this.connect(flags)), askOverTls: await this.askOverTls() }
    const report = await scrapeSecure(request, needs, {
      rollout: this.progress(flags, renderScrapeProgress),
      targets: this.progress(flags, renderTargets),
    })
    this.answer(
      renderScrapeSecure(report, dryRun, flags.output, flags.diff),
      renderFindings(report.result.warnings),
      succeeded(report),
    )
  }
}
