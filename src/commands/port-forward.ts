import { Args } from '@oclif/core'
import { portForwardFlags, requireForwarded } from '../flags/values.ts'
import { portForward, succeeded } from '../forwarding/port-forward.ts'
import { renderWarnings } from '../rendering/findings.ts'
import { eventRenderer, renderConnection, renderTraffic } from '../rendering/port-forward.ts'
import { TelemetryCommand } from '../telemetry-command.ts'

export default class PortForward extends TelemetryCommand {
  static override summary = 'reach add-ons at ports of this machine, for as long as it runs'
  static override description =
    `each connection goes to a Ready pod. When a pod goes, the port stays, and connections wait for the next one. Ctrl-C ends it.`
  static override examples = [
    '<%= config.bin %> port-forward',
    '<%= config.bin %> port-forward grafana -p 3001',
    '<%= config.bin %> port-forward kiali prometheus -p kiali=8080 --for 30m',
    '<%= config.bin %> port-forward svc/httpbin:8000 -n default',
  ]
  static override args = {
    addon: Args.string({
      name: 'addon',
      multiple: true,
      description: 'add-ons, or one svc/NAME[:PORT] (default: all add-ons)',
    }),
  }
  static override flags = portForwardFlags
  protected override readonly oneLine = true

  async run(): Promise<void> {
    const { args, flags } = await this.parse(PortForward)
    const { port: ports, address: addresses, for: duration, 'exit-on-loss': exitOnLoss, wait, namespace, open } = flags
    const request = {
      ...requireForwarded(args.addon ?? []),
      ...{ namespace, ports: ports ?? [], addresses, wait, duration, exitOnLoss, open },
    }
    const [dependencies, forwarding] = await Promise.all([this.reach(flags, true), this.forwarding()])
    const render = eventRenderer(flags.output)
    const result = await portForward(request, dependencies, forwarding, {
      tell: (event) => this.answer(...render(event), true),
      warn: (warnings) => this.answer('', renderWarnings(warnings), true),
      tellConnection: (report) => this.detail(renderConnection(report), flags),
      tellTraffic: this.status(flags, renderTraffic),
    })
    this.answer('', '', succeeded(result))
  }
}
