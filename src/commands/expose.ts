import { Args } from '@oclif/core'
import { requireAddons } from '../addons/catalog.ts'
import { succeeded as succeededCleanup } from '../cleaning/cleanup.ts'
import { succeeded } from '../exposing/result.ts'
import { exposeWhile } from '../exposing/while-running.ts'
import { guardOf } from '../flags/access.ts'
import { broughtFlags, broughtPair } from '../flags/cert.ts'
import { dryRunOf, exposeFlags } from '../flags/values.ts'
import { renderCleanup } from '../rendering/cleanup.ts'
import { renderExpose, renderExposeWarnings } from '../rendering/expose.ts'
import { TelemetryCommand } from '../telemetry-command.ts'

export default class Expose extends TelemetryCommand {
  static override summary = 'make add-ons reachable from outside, by HTTPS through the ingress gateway'
  static override description =
    `finds the add-on and the ingress gateway wherever they are, makes a certificate, routes a host to the
add-on, and fetches the page at the end. Run twice, it changes nothing. "kubectl telemetry cleanup" takes it away.`
  static override examples = [
    '<%= config.bin %> expose grafana --allow-anonymous',
    '<%= config.bin %> expose grafana --domain example.com',
    '<%= config.bin %> expose grafana --allow-cidr 203.0.113.0/24 --allow-cidr 2001:db8::/32',
    '<%= config.bin %> expose grafana --gateway istio-ingress/istio-ingress --ingress-ip 192.0.2.10',
    '<%= config.bin %> expose grafana --allow-anonymous --ttl 8h',
    '<%= config.bin %> expose all --layout ports',
    '<%= config.bin %> expose grafana --dry-run=server -o yaml',
  ]
  static override args = {
    addon: Args.string({ name: 'addon', multiple: true, description: 'add-ons to expose (default: all)' }),
  }
  static override flags = { ...exposeFlags, ...broughtFlags }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Expose)
    const { 'ingress-ip': ingressAddress, 'allow-anonymous': allowAnonymous, ttl, ...rest } = flags
    const dryRun = dryRunOf(flags)
    const asked = {
      addons: requireAddons(args.addon ?? []),
      nodePorts: flags['node-port'] ?? [],
      guard: guardOf(flags),
      terms: { allowAnonymous, ttl },
      whileRunning: flags['while-running'],
    }
    const own = { tlsSecret: flags['tls-secret'], tlsIssuer: flags['tls-issuer'], brought: broughtPair(flags) }
    await exposeWhile({ ...rest, ...asked, ...own, ingressAddress, dryRun }, await this.connect(flags), {
      ending: () => this.ending(),
      show: (report) =>
        this.answer(
          renderExpose(report, dryRun, flags.output, flags.diff),
          renderExposeWarnings(report, dryRun, flags.output),
          succeeded(report.result),
        ),
      // The answer on stdout is what was exposed.
      showEnd: (result) => this.answer('', renderCleanup(result, 'none', undefined, true), succeededCleanup(result)),
    })
  }
}
