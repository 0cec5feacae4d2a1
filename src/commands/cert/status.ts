import { certStatus, succeeded } from '../../certifying/status.ts'
import { expiresIn, gatewayFlags } from '../../flags/cert.ts'
import { renderCertStatus } from '../../rendering/cert.ts'
import { renderFindings } from '../../rendering/findings.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'

export default class CertStatus extends TelemetryCommand {
  static override summary = 'Show the certificates: issuer, days left, what the gateway serves, who trusts it'
  static override description =
    `Connects to the gateway and compares the served certificate with the Secret. Exits with 1 when a certificate expires \
soon, lacks a name, is missing, or is not the one that the gateway serves, and when the Gateway was deleted but not the \
rest. Changes nothing.`
  static override examples = [
    '<%= config.bin %> cert status',
    '<%= config.bin %> cert status --expires-in 30d',
    '<%= config.bin %> cert status -o json',
  ]
  static override flags = { ...gatewayFlags, 'expires-in': expiresIn }

  async run(): Promise<void> {
    const { flags } = await this.parse(CertStatus)
    const { namespace, 'ingress-ip': ingressAddress, 'expires-in': lasting } = flags
    const result = await certStatus({ namespace, ingressAddress, expiresIn: lasting }, await this.connect(flags))
    this.answer(renderCertStatus(result, flags.output), renderFindings(result.warnings), succeeded(result))
  }
}
