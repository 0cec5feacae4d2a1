import { exportArg, exportFlags, requireCapturable, requireExportable } from '../../flags/exporting.ts'
import { dryRunOf } from '../../flags/values.ts'
import { exportAndCall } from '../../multicluster/called-export.ts'
import { succeeded } from '../../multicluster/exporting/result.ts'
import { MulticlusterCommand } from '../../multicluster-command.ts'
import { renderFindings } from '../../rendering/findings.ts'
import { renderExport } from '../../rendering/multicluster/export.ts'

export default class MulticlusterExport extends MulticlusterCommand {
  static override summary = 'Let pods of other clusters call a service, through the gateway of its cluster'
  static override description =
    `In the clusters of --in, the gateway passes connections to exactly the exported services on; it ends no TLS, so caller and \
service see each other's identity. In the clusters of --to, the service has a name (httpbin.bar.global) and an address; its \
sidecars accept only the identities that its pods have now. It ends with a call from a pod (--from). A second run changes nothing, or what has changed since. "kubectl \
telemetry multicluster cleanup HOST" removes everything again.`
  static override usage = '<%= command.id %> SERVICE -n NAMESPACE --in CLUSTER [flags]'
  static override examples = [
    'Call httpbin.bar.global in all other clusters\n<%= config.bin %> multicluster export httpbin -n bar --in west --context west --context east',
    'One service of two clusters\n<%= config.bin %> multicluster export httpbin -n bar --in west --in east --to north --context west --context east --context north',
    'Routes of callers can choose versions\n<%= config.bin %> multicluster export httpbin -n bar --in west --subsets version --context west --context east',
    'Print what would change\n<%= config.bin %> multicluster export httpbin -n bar --in west --context west --context east --diff',
  ]
  static override args = { service: exportArg }
  static override flags = exportFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MulticlusterExport)
    const { namespace, in: serving, to, host, suffix, address, into, subsets, timeout, yes } = flags
    const service = requireExportable(args.service, namespace)
    const dns = requireCapturable(flags.dns, into)
    const via = flags['via-egress']
    const dryRun = dryRunOf(flags)
    const roles = { service, in: serving, to, host, suffix, address, into }
    const { members, terminal, clock } = await this.connectMembers(flags)
    const [askDns, pods] = await Promise.all([this.askDns(), this.pods()])
    const request = { ...roles, subsets, via, dns, timeout, yes, dryRun }
    const report = await exportAndCall(request, flags.from, { members, terminal, clock, askDns, pods })
    this.answer(
      renderExport(report, dryRun, flags.output, flags.diff),
      renderFindings(report.result.problems),
      succeeded(report.result),
    )
  }
}
