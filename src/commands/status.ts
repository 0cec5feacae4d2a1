import { Flags } from '@oclif/core'
import { expiresIn, gatewayFlags } from '../flags/cert.ts'
import { renderStatus } from '../rendering/status.ts'
import { succeeded } from '../status/report.ts'
import { runStatus } from '../status/watch.ts'
import { TelemetryCommand } from '../telemetry-command.ts'

export default class Status extends TelemetryCommand {
  static override summary = 'Show add-ons and exposures: do they answer, who may enter, what is wrong'
  static override description =
    `Finds the add-ons and exposures, fetches each page once, and prints the next command for each problem. A missing read \
permission is reported as a problem. Changes nothing. Exits with 1 when something does not work (an "error:" line), except \
with --watch.`
  static override examples = [
    '<%= config.bin %> status',
    '<%= config.bin %> status --watch',
    '<%= config.bin %> status -o json',
  ]
  static override flags = {
    'ingress-ip': gatewayFlags['ingress-ip'],
    'expires-in': expiresIn,
    watch: Flags.boolean({
      char: 'w',
      description: 'Look again every five seconds, and print the status when it changes',
    }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(Status)
    const { namespace, 'ingress-ip': ingressAddress, 'expires-in': lasting, watch } = flags
    const request = { namespace, ingressAddress, expiresIn: lasting }
    await runStatus(request, await this.connect(flags), {
      watch,
      ending: () => this.endSignal(),
      show: (report) =>
        this.screen(renderStatus(report, flags.output, watch), flags, { again: watch, succeeded: succeeded(report) }),
    })
  }
}
