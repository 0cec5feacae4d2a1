import { cleanupArg, cleanupFlags } from '../../flags/exporting.ts'
import { cleanupClusters } from '../../multicluster/cleanup.ts'
import { cleaned } from '../../multicluster/exporting/cleanup.ts'
import { MulticlusterCommand } from '../../multicluster-command.ts'
import { renderFindings } from '../../rendering/findings.ts'
import { renderExportCleanup } from '../../rendering/multicluster/export.ts'

export default class MulticlusterCleanup extends MulticlusterCommand {
  static override summary = 'Remove exports, all or those of single hosts; with --trust the shared root'
  static override description =
    `Removes what "multicluster export" made in the given clusters: names, entries, and the hosts that gateways pass on. The \
configuration of CoreDNS and the pods of callers are then as before. Other exports continue. Give all clusters that call a \
service: one that is left out keeps its name for it. With --trust it undoes "multicluster connect" instead: workloads get both roots again, \
istiod signs with its own CA, and then the shared root is dropped.`
  static override usage = '<%= command.id %> [HOST...] [flags]'
  static override examples = [
    '<%= config.bin %> multicluster cleanup --context west --context east',
    'Then the shared root\n<%= config.bin %> multicluster cleanup --trust --context west --context east',
    'One service\n<%= config.bin %> multicluster cleanup httpbin.bar.global --context west --context east',
  ]
  static override args = { host: cleanupArg }
  static override flags = cleanupFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MulticlusterCleanup)
    const { trust, timeout, yes, 'dry-run': dryRun, 'accept-unknown': acceptUnknown } = flags
    const world = { ...(await this.connectMembers(flags)), ...(await this.pods()) }
    const request = { hosts: args.host ?? [], trust, acceptUnknown, timeout, yes, dryRun }
    const result = await cleanupClusters(request, world)
    this.answer(renderExportCleanup(result, dryRun, flags.output), renderFindings(result.problems), cleaned(result))
  }
}
