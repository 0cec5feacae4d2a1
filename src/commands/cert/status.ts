import { certStatus, succeeded } from '../../certifying/status.ts'
import { expiresIn, gatewayChoice } from '../../flags/cert.ts'
import { renderCertStatus } from '../../rendering/cert.ts'
import { renderWarnings } from '../../rendering/findings.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'

export default class CertStatus extends TelemetryCommand {
  static override summary = 'show the certificates: names, issuer, days left, what is really served, who trusts it'
  static override description =
    `connects to the gateway and compares what it serves with what the Secret has. Exits with 1 when a certificate
ends soon, lacks a name, is not there, or is not what is served. Changes nothing.`
  static override examples = [
    '<%= config.bin %> cert status',
    '<%= config.bin %> cert status --expires-in 30d',
    '<%= config.bin %> cert status -o json',
  ]
  static override flags = { ...gatewayChoice, 'expires-in': expiresIn }

  async run(): Promise<void> {
    const { flags } = await this.parse(CertStatus)
    const { namespace, 'ingress-ip': ingressAddress, 'expires-in': lasting } = flags
    const result = await certStatus({ namespace, ingressAddress, expiresIn: lasting }, await this.connect(flags))
    this.answer(renderCertStatus(result, flags.output), renderWarnings(result.warnings), succeeded(result))
  }
}
