import { succeeded } from '../../certifying/change.ts'
import { certRotate } from '../../certifying/rotate.ts'
import { broughtPair, rotateFlags } from '../../flags/cert.ts'
import { renderCertRotate } from '../../rendering/cert.ts'
import { renderWarnings } from '../../rendering/findings.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'

export default class CertRotate extends TelemetryCommand {
  static override summary = 'make a new certificate and key, and see that the gateway serves them'
  static override description =
    `signs with the same authority, so clients notice nothing. The Secret is changed in place, no pod restarts.
With --ca a new authority is made, and handed out together with the old one, which goes on signing. When clients trust both
("cert trust", "cert export ca"), --finish lets the new one sign and forgets the old one.`
  static override examples = [
    '<%= config.bin %> cert rotate',
    '<%= config.bin %> cert rotate --key-type rsa4096 -y',
    '<%= config.bin %> cert rotate --ca',
    '<%= config.bin %> cert rotate --finish',
  ]
  static override flags = rotateFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(CertRotate)
    const { 'ingress-ip': ingressAddress, 'key-type': bits, 'dry-run': dryRun, ...rest } = flags
    const request = { ...rest, ingressAddress, bits, dryRun, brought: broughtPair(flags) }
    const result = await certRotate(request, await this.connect(flags))
    this.answer(renderCertRotate(result, dryRun, flags.output), renderWarnings(result.warnings), succeeded(result))
  }
}
