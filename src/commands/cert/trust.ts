import { certTrust, succeeded } from '../../certifying/trust.ts'
import { trustFlags } from '../../flags/cert.ts'
import { renderCertTrust } from '../../rendering/cert-trust.ts'
import { renderWarnings } from '../../rendering/findings.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'

export default class CertTrust extends TelemetryCommand {
  static override summary = 'let this machine trust the authority: its system and its browsers'
  static override description =
    `adds the authority that the add-ons are exposed with to the system's store, and to those of Firefox and Chromium that are there. It can
vouch for its domain alone. Where that needs an administrator, the commands are printed instead, and the exit code is 1.`
  static override examples = [
    '<%= config.bin %> cert trust',
    '<%= config.bin %> cert trust --dry-run=client',
    '<%= config.bin %> cert trust --domain example.com',
    '<%= config.bin %> cert trust --remove',
  ]
  static override flags = trustFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(CertTrust)
    const { 'dry-run': dryRun, ...rest } = flags
    const result = await certTrust({ ...rest, dryRun }, await this.connect(flags))
    this.answer(renderCertTrust(result, flags.output), renderWarnings(result.warnings), succeeded(result))
  }
}
