import { installFlags, requireInstallable, sampleArg } from '../../flags/addons.ts'
import { dryRunOf } from '../../flags/values.ts'
import { install } from '../../installing/install.ts'
import { succeeded } from '../../installing/result.ts'
import { renderInstall, renderInstallProgress } from '../../rendering/addons.ts'
import { renderFindings } from '../../rendering/findings.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'

export default class AddonsInstall extends TelemetryCommand {
  static override summary = "Install add-ons: Istio's samples for the running version, configured for each other"
  static override description =
    `Writes the samples of the running Istio's minor version into istiod's namespace or -n, and waits until each add-on is \
ready. An add-on that others installed is left unchanged. Kiali gets the addresses of Prometheus, Grafana and Jaeger, and a \
signing key of its own. The samples keep their data only as long as their pods; they are for trying out, not for \
production. A second run changes nothing. With --from, other files are installed: only kinds of objects that Istio's \
samples have, and only in the namespace of the add-ons. "kubectl telemetry addons uninstall" removes everything again.`
  static override usage = '<%= command.id %> [ADDON...] [flags]'
  static override examples = [
    "The four of Istio's quick start\n<%= config.bin %> addons install",
    'One add-on\n<%= config.bin %> addons install zipkin',
    'The file that another version of Istio has\n<%= config.bin %> addons install grafana --from ./istio-1.29.0/samples/addons',
    'Let the API server validate the objects\n<%= config.bin %> addons install --dry-run=server',
  ]
  static override args = {
    addon: sampleArg('Add-ons to install', 'prometheus, grafana, kiali and jaeger; a terminal asks'),
  }
  static override flags = installFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(AddonsInstall)
    const { namespace, revision, from, sha256, timeout, replace, yes } = flags
    const samples = requireInstallable(args.addon ?? [])
    const request = { samples, namespace, revision, from, sha256, timeout, replace, yes, dryRun: dryRunOf(flags) }
    const needs = { ...(await this.connect(flags)), samples: this.sampleFiles(), outside: this.outside() }
    const report = await install(request, needs, this.progress(flags, renderInstallProgress))
    this.answer(
      renderInstall(report, request.dryRun, flags.output, flags.diff),
      renderFindings(report.result.warnings),
      succeeded(report.result),
    )
  }
}
