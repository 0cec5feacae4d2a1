import { certCreate } from '../../certifying/create.ts'
import { authorityFlags, authorityPair, certDomain, keyTypeFlag } from '../../flags/cert.ts'
import { renderCertCreate } from '../../rendering/cert.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'

export default class CertCreate extends TelemetryCommand {
  static override summary = 'Create the CA of a domain on this machine, or import one'
  static override description =
    `"expose" creates a CA when none exists. This command creates it earlier, so that clients can trust it before the first \
exposure. The CA can sign only for its domain. --ca-cert and --ca-key import an existing CA: your own, or the one of \
the machine that exposed the add-ons.`
  static override examples = [
    '<%= config.bin %> cert create --domain example.com',
    '<%= config.bin %> cert create --domain example.com --ca-cert ca.crt --ca-key ca.key',
  ]
  static override flags = { domain: certDomain, ...keyTypeFlag, ...authorityFlags }

  async run(): Promise<void> {
    const { flags } = await this.parse(CertCreate)
    const { domain, 'key-type': bits } = flags
    const result = await certCreate({ domain, bits, userAuthority: authorityPair(flags) }, await this.connect(flags))
    this.answer(renderCertCreate(result, flags.output), '', true)
  }
}
