import { certTrust, succeeded } from '../../certifying/trust.ts'
import { trustFlags } from '../../flags/cert.ts'
import { renderCertTrust } from '../../rendering/cert-trust.ts'
import { renderFindings } from '../../rendering/findings.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'

export default class CertTrust extends TelemetryCommand {
  static override summary = 'Add the CA to the trust stores of this machine and its browsers'
  static override description =
    `Adds the CA of the exposures to the trust store of the system, and to those of Firefox and Chromium if they exist. The \
CA of this machine, or one that can vouch only for the domain of its exposure, is trusted at once; another one needs \
--fingerprint. If a store needs an administrator, prints the commands for it and exits with 1.`
  static override examples = [
    '<%= config.bin %> cert trust',
    '<%= config.bin %> cert trust --dry-run=client',
    '<%= config.bin %> cert trust --domain example.com',
    '<%= config.bin %> cert trust --fingerprint 5E:3F:…',
    '<%= config.bin %> cert trust --remove',
  ]
  static override flags = trustFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(CertTrust)
    const { remove, domain, namespace, yes, 'dry-run': dryRun } = flags
    const request = { remove, domain, namespace, fingerprints: flags.fingerprint, yes, dryRun }
    const result = await certTrust(request, await this.connect(flags))
    this.answer(renderCertTrust(result, flags.output), renderFindings(result.warnings), succeeded(result))
  }
}
