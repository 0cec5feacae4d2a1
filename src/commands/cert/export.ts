import { certExport } from '../../certifying/export.ts'
import { exportArgs, exportFlags, firstLine } from '../../flags/cert.ts'
import { renderCertExport, renderPassword } from '../../rendering/cert.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'

export default class CertExport extends TelemetryCommand {
  static override summary = 'give out the authority, the certificate, or both and the key'
  static override description =
    `reads the TLS Secret, so any machine that may read it can. The authority's key is not in it.`
  static override examples = [
    '<%= config.bin %> cert export ca > ca.crt',
    '<%= config.bin %> cert export fullchain -f fullchain.pem',
    '<%= config.bin %> cert export pkcs12 -f telemetry.p12',
  ]
  static override args = exportArgs
  static override flags = exportFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(CertExport)
    const { namespace, file, 'password-file': password } = flags
    const request = { what: args.what, namespace, file, password: firstLine(password) }
    const result = await certExport(request, await this.connect(flags))
    this.answer(renderCertExport(result, flags.output), renderPassword(result, flags.output), true)
  }
}
