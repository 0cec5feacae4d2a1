import { Flags } from '@oclif/core'
import { expiresIn, gatewayChoice } from '../flags/cert.ts'
import { renderStatus } from '../rendering/status.ts'
import { runStatus } from '../status/watch.ts'
import { TelemetryCommand } from '../telemetry-command.ts'

/** Looks, and tells: a problem is no failure of it. */
export default class Status extends TelemetryCommand {
  static override summary = 'show what is where, whether it answers, who may enter, and what is wrong'
  static override description =
    `looks for the add-ons and at what is exposed, fetches each page once, and names the next command for each problem.
What you may not read is one of the problems. Changes nothing.`
  static override examples = [
    '<%= config.bin %> status',
    '<%= config.bin %> status --watch',
    '<%= config.bin %> status -o json',
  ]
  static override flags = {
    'ingress-ip': gatewayChoice['ingress-ip'],
    'expires-in': expiresIn,
    watch: Flags.boolean({ char: 'w', description: 'look again every five seconds, and show it when it is different' }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(Status)
    const { namespace, 'ingress-ip': ingressAddress, 'expires-in': lasting, watch } = flags
    const request = { namespace, ingressAddress, expiresIn: lasting }
    await runStatus(request, await this.connect(flags), {
      watch,
      ending: () => this.ending(),
      show: (report) => this.screen(renderStatus(report, flags.output, watch), flags, watch),
    })
  }
}
