import { cleanupArg, cleanupFlags } from '../../flags/exporting.ts'
import { cleaned, cleanupExports } from '../../multicluster/exporting/cleanup.ts'
import { MulticlusterCommand } from '../../multicluster-command.ts'
import { renderExportCleanup } from '../../rendering/exporting.ts'
import { renderFindings } from '../../rendering/findings.ts'

export default class MulticlusterCleanup extends MulticlusterCommand {
  static override summary = 'Remove exports: all, or those of single hosts'
  static override description =
    `Removes what "multicluster export" made in the given clusters: names, entries, and the hosts that gateways pass on. The \
configuration of CoreDNS and the pods of callers are then as before. Other exports continue. Give all clusters that call a \
service: one that is left out keeps its name for it.`
  static override usage = '<%= command.id %> [HOST...] [flags]'
  static override examples = [
    '<%= config.bin %> multicluster cleanup --context west --context east',
    'One service\n<%= config.bin %> multicluster cleanup httpbin.bar.global --context west --context east',
  ]
  static override args = { host: cleanupArg }
  static override flags = cleanupFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MulticlusterCleanup)
    const { timeout, yes, 'dry-run': dryRun } = flags
    const { members, terminal, clock } = await this.connectMembers(flags)
    const request = { hosts: args.host ?? [], timeout, yes, dryRun }
    const result = await cleanupExports(request, members, { terminal, clock })
    this.answer(renderExportCleanup(result, dryRun, flags.output), renderFindings(result.problems), cleaned(result))
  }
}
