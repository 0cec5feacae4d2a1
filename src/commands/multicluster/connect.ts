import { connectFlags, connectRequest } from '../../flags/multicluster.ts'
import { succeeded } from '../../multicluster/connect.ts'
import { connectClusters } from '../../multicluster/prepare.ts'
import { MulticlusterCommand } from '../../multicluster-command.ts'
import { renderFindings } from '../../rendering/findings.ts'
import { renderConnect } from '../../rendering/multicluster/clusters.ts'

export default class MulticlusterConnect extends MulticlusterCommand {
  static override summary = 'Give clusters one root of trust, and each a gateway by which the others enter'
  static override description =
    `Changes the root in phases, so that proxies never refuse each other: first every workload of every cluster trusts both roots, \
then istiod signs with the new CA; "--finish" drops the former roots when nothing needs them any more. Each phase is proven by \
asking every proxy before the next one begins, and a run that was cut off is continued by the same command. Clusters that share a root \
already keep it. A CA that another owner plugged in is never replaced. With --certificates-only, clusters that have no Istio yet get their CA \
first; then their istiod signs under the root from its start, and nothing restarts.`
  static override examples = [
    'Two clusters, with short names\n<%= config.bin %> multicluster connect --context west=CONTEXT1 --context east=CONTEXT2',
    'Print what the next phase would change\n<%= config.bin %> multicluster connect --diff --context west=CONTEXT1 --context east=CONTEXT2',
    'Drop the former roots\n<%= config.bin %> multicluster connect --finish --context west=CONTEXT1 --context east=CONTEXT2',
    'Before Istio is installed\n<%= config.bin %> multicluster connect --certificates-only --context west=CONTEXT1 --context east=CONTEXT2',
    'Use the port that is open already\n<%= config.bin %> multicluster connect --port 443 --context west=CONTEXT1 --context east=CONTEXT2',
  ]
  static override flags = connectFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(MulticlusterConnect)
    const request = await connectRequest(flags)
    const [askInside, readServedChain] = await Promise.all([this.askInside(), this.readServedChain()])
    const world = { ...(await this.connectMembers(flags)), askInside, readServedChain }
    const report = await connectClusters(request, world)
    this.answer(
      renderConnect(report, request.dryRun, flags.output, flags.diff),
      renderFindings(report.result.problems),
      succeeded(report.result),
    )
  }
}
