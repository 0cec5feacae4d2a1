import { succeeded as succeededCleanup } from '../changes/undo.ts'
import { succeeded } from '../exposing/result.ts'
import { exposeWhile } from '../exposing/while-running.ts'
import { exposeFlags, exposeRequestOf } from '../flags/expose.ts'
import { exposedArg } from '../flags/values.ts'
import { renderCleanup } from '../rendering/cleanup.ts'
import { renderExpose, renderExposeWarnings } from '../rendering/expose.ts'
import { TelemetryCommand } from '../telemetry-command.ts'

export default class Expose extends TelemetryCommand {
  static override summary = 'Expose add-ons and Services through the ingress gateway over HTTPS'
  static override description =
    `Finds the add-ons and the ingress gateway in any namespace, creates a certificate, routes a host to each add-on or Service, and \
fetches each page at the end. An add-on that lets anyone in, and any other Service, needs --auth, --allow-cidr or --allow-anonymous. A second \
run changes nothing. "kubectl telemetry cleanup" removes everything that it \
created.`
  static override usage = '<%= command.id %> [ADDON... | svc/NAME[:PORT]...] [flags]'
  static override examples = [
    'Only for one network, and for one working day\n<%= config.bin %> expose grafana --allow-cidr 203.0.113.0/24 --ttl 8h',
    'With a password, which is generated and shown once\n<%= config.bin %> expose kiali prometheus --auth basic',
    'Below a domain of your own\n<%= config.bin %> expose grafana --domain example.com --auth basic',
    'All add-ons on one host, until Ctrl-C\n<%= config.bin %> expose all --layout ports --while-running',
    'Any Service, two of its paths, on a port of its own\n<%= config.bin %> expose svc/productpage -n bookinfo --port 8080 --path /productpage --path /static/ --auth basic',
    'Print the objects, validated by the API server\n<%= config.bin %> expose grafana --allow-anonymous --dry-run=server -o yaml',
  ]
  static override args = { addon: exposedArg('Add-ons to expose', 'svc/NAME[:PORT]') }
  static override flags = exposeFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Expose)
    const request = exposeRequestOf(flags, args.addon ?? [])
    await exposeWhile(request, await this.connect(flags), {
      ending: () => this.endSignal(),
      show: (report) =>
        this.answer(
          renderExpose(report, request.dryRun, flags.output, flags.diff),
          renderExposeWarnings(report, request.dryRun, flags.output),
          succeeded(report.result),
        ),
      // The answer on stdout is what was exposed.
      showEnd: (result) => this.answer('', renderCleanup(result, 'none', undefined, true), succeededCleanup(result)),
    })
  }
}
