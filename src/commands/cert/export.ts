import { certExport } from '../../certifying/export.ts'
import { exportArgs, exportFlags, firstLine } from '../../flags/cert.ts'
import { renderCertExport, renderExported } from '../../rendering/cert.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'

export default class CertExport extends TelemetryCommand {
  static override summary = 'Export the CA, the certificate, or both with the key'
  static override description =
    `Reads the TLS Secret, so every machine with permission to read it can export. The Secret does not contain the key of \
the CA.`
  static override usage = '<%= command.id %> ca|fullchain|pkcs12 [flags]'
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
    const fingerprints = flags.fingerprint
    const request = { what: args.what, namespace, file, fingerprints, password: firstLine(password) }
    const result = await certExport(request, await this.connect(flags))
    this.answer(renderCertExport(result, flags.output), renderExported(result, flags.output), true)
  }
}
