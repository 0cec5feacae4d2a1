import { forwardedArg, portForwardFlags, requireForwarded } from '../flags/port-forward.ts'
import { portForward, succeeded } from '../forwarding/port-forward.ts'
import { renderFindings } from '../rendering/findings.ts'
import { eventRenderer, renderConnection, renderTraffic } from '../rendering/port-forward.ts'
import { TelemetryCommand } from '../telemetry-command.ts'

export default class PortForward extends TelemetryCommand {
  static override summary = 'Reach add-ons at local ports that survive pod restarts'
  static override description =
    `Sends each connection to a Ready pod. When the pod is deleted, the local port stays open and new connections wait for \
the next Ready pod. Ctrl-C ends it. Changes nothing in the cluster.`
  static override usage = '<%= command.id %> [ADDON... | svc/NAME[:PORT]] [flags]'
  static override examples = [
    'All add-ons, at their usual ports\n<%= config.bin %> port-forward',
    'One add-on, at port 3001\n<%= config.bin %> port-forward grafana -p 3001',
    'Two add-ons, for half an hour\n<%= config.bin %> port-forward kiali prometheus -p kiali=8080 --for 30m',
    'Any other Service\n<%= config.bin %> port-forward svc/httpbin:8000 -n default',
  ]
  static override args = { addon: forwardedArg }
  static override flags = portForwardFlags
  protected override readonly oneLine = true

  async run(): Promise<void> {
    const { args, flags } = await this.parse(PortForward)
    const { addons, service } = requireForwarded(args.addon ?? [])
    const request = {
      addons,
      service,
      namespace: flags.namespace,
      ports: flags.port ?? [],
      addresses: flags.address,
      wait: flags.wait,
      duration: flags.for,
      exitOnLoss: flags['exit-on-loss'],
      open: flags.open,
    }
    const [dependencies, forwarding] = await Promise.all([this.connectCluster(flags, true), this.forwardEnvironment()])
    const render = eventRenderer(flags.output)
    const result = await portForward(request, dependencies, forwarding, {
      tell: (event) => this.answer(...render(event), true),
      warn: (warnings) => this.answer('', renderFindings(warnings), true),
      tellConnection: (report) => this.detail(renderConnection(report), flags),
      tellTraffic: this.progress(flags, renderTraffic),
    })
    this.answer('', '', succeeded(result))
  }
}
