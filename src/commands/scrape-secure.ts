import { requireWorkloadNames, scrapeFlags, workloadArg } from '../flags/scraping.ts'
import { dryRunOf } from '../flags/values.ts'
import { renderWarnings } from '../rendering/findings.ts'
import { renderScrapeProgress, renderScrapeSecure, renderTargets } from '../rendering/scrape-secure.ts'
import { succeeded } from '../scraping/result.ts'
import { scrapeSecure } from '../scraping/scrape-secure.ts'
import { TelemetryCommand } from '../telemetry-command.ts'

export default class ScrapeSecure extends TelemetryCommand {
  static override summary = 'let Prometheus scrape sidecars and gateways over Istio mutual TLS'
  static override description =
    `chooses the way by the version of Istio that runs, changes pod templates, so pods are restarted: one workload after
the other, up to the first that does not come back. Run twice, it changes nothing. "kubectl telemetry cleanup --scraping" takes
it away.`
  static override examples = [
    '<%= config.bin %> scrape-secure -n shop',
    '<%= config.bin %> scrape-secure deploy/web sts/db -n shop',
    '<%= config.bin %> scrape-secure -A --gateways',
    '<%= config.bin %> scrape-secure -l app=web --dry-run=server',
  ]
  static override args = { workload: workloadArg }
  static override flags = scrapeFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ScrapeSecure)
    const { namespace, selector, gateways, method, harden, 'only-prometheus': onlyPrometheus, yes, timeout } = flags
    const dryRun = dryRunOf(flags)
    const request = {
      names: requireWorkloadNames(args.workload ?? []),
      namespaces: namespace ?? [],
      allNamespaces: flags['all-namespaces'],
      ...{ selector, gateways, method, harden, onlyPrometheus, yes, timeout, dryRun, prometheus: flags.prometheus },
    }
    const needs = { ...(await this.connect(flags)), timers: this.timers() }
    const report = await scrapeSecure(request, needs, {
      rollout: this.status(flags, renderScrapeProgress),
      targets: this.status(flags, renderTargets),
    })
    this.answer(
      renderScrapeSecure(report, dryRun, flags.output, flags.diff),
      renderWarnings(report.result.warnings),
      succeeded(report),
    )
  }
}
