import { certCreate } from '../../certifying/create.ts'
import { broughtAuthority, broughtPair, certDomain, keyTypeFlag } from '../../flags/cert.ts'
import { renderCertCreate } from '../../rendering/cert.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'

export default class CertCreate extends TelemetryCommand {
  static override summary = 'make the authority of a domain on this machine, or bring one'
  static override description =
    `"expose" makes one when there is none; this makes it beforehand, so that clients can trust it first. It can vouch for the domain alone.
With --ca-cert and --ca-key it takes over one that you have: your own, or that of the machine that exposed the add-ons.`
  static override examples = [
    '<%= config.bin %> cert create --domain example.com',
    '<%= config.bin %> cert create --domain example.com --ca-cert ca.crt --ca-key ca.key',
  ]
  static override flags = { domain: certDomain, ...keyTypeFlag, ...broughtAuthority }

  async run(): Promise<void> {
    const { flags } = await this.parse(CertCreate)
    const { domain, 'key-type': bits } = flags
    const result = await certCreate({ domain, bits, brought: broughtPair(flags) }, await this.connect(flags))
    this.answer(renderCertCreate(result, flags.output), '', true)
  }
}
