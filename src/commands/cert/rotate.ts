import { succeeded } from '../../certifying/change.ts'
import { certRotate } from '../../certifying/rotate.ts'
import { authorityPair, rotateFlags } from '../../flags/cert.ts'
import { renderCertRotate } from '../../rendering/cert.ts'
import { renderFindings } from '../../rendering/findings.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'

export default class CertRotate extends TelemetryCommand {
  static override summary = 'Replace the certificate and its key, and check that the gateway serves them'
  static override description =
    `Signs with the same CA, so clients notice nothing. Updates the Secret in place; no pod restarts. To replace the CA as \
well, run it twice: --ca creates a new CA and distributes it together with the old one, which still signs; when \
clients trust both ("cert trust", "cert export ca"), --finish signs with the new CA and drops the old one.`
  static override examples = [
    'Replace the certificate\n<%= config.bin %> cert rotate',
    'Change the type of its key, without a question\n<%= config.bin %> cert rotate --key-type rsa4096 -y',
    'Replace the CA, in two steps\n<%= config.bin %> cert rotate --ca\n<%= config.bin %> cert rotate --finish',
  ]
  static override flags = rotateFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(CertRotate)
    const { namespace, 'ingress-ip': ingressAddress, ca, finish, 'key-type': bits, timeout, yes } = flags
    const dryRun = flags['dry-run']
    const userAuthority = authorityPair(flags)
    const request = { namespace, ingressAddress, ca, finish, userAuthority, bits, timeout, yes, dryRun }
    const result = await certRotate(request, await this.connect(flags))
    this.answer(renderCertRotate(result, dryRun, flags.output), renderFindings(result.warnings), succeeded(result))
  }
}
