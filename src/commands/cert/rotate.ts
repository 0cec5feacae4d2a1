import { TelemetryCommand } from '../../base-command.ts'
import { changing, gatewayChoice, keyTypeFlag } from '../../flags/cert.ts'
import { certRotate } from '../../operations/cert-rotate.ts'
import { succeeded } from '../../operations/change-certificates.ts'
import { renderCertificatesChanged } from '../../rendering/cert.ts'
import { renderWarnings } from '../../rendering/warnings.ts'

export default class CertRotate extends TelemetryCommand {
  static override summary = 'make a new certificate and key, and see that the gateway serves them'
  static override description =
    `signs with the same authority, so clients notice nothing. The Secret is changed in place, no pod restarts.`
  static override examples = ['<%= config.bin %> cert rotate', '<%= config.bin %> cert rotate --key-type rsa4096 -y']
  static override flags = { ...gatewayChoice, ...keyTypeFlag, ...changing }

  async run(): Promise<void> {
    const { flags } = await this.parse(CertRotate)
    const { 'ingress-ip': ingressAddress, 'key-type': bits, 'dry-run': dryRun, ...rest } = flags
    const result = await certRotate({ ...rest, ingressAddress, bits, dryRun }, await this.connect(flags))
    this.answer(
      renderCertificatesChanged(result, dryRun, flags.output),
      renderWarnings(result.warnings),
      succeeded(result),
    )
  }
}
