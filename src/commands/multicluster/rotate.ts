import { rotateFlags, rotateRequest } from '../../flags/multicluster.ts'
import { succeeded } from '../../multicluster/connect.ts'
import { rotate } from '../../multicluster/rotate.ts'
import { MulticlusterCommand } from '../../multicluster-command.ts'
import { renderFindings } from '../../rendering/findings.ts'
import { renderTrust } from '../../rendering/multicluster/clusters.ts'

export default class MulticlusterRotate extends MulticlusterCommand {
  static override summary = "Replace the CA of each cluster's istiod, or with --ca the root of all"
  static override description =
    `Each cluster gets a new CA under the same root. Nothing restarts: istiod takes it up by itself, which is proven by the \
certificates that it serves. With --ca there is another root, and the clusters change to it in the phases of "connect"; \
"connect --finish" drops the former one.`
  static override examples = [
    '<%= config.bin %> multicluster rotate --context west --context east',
    'Another root\n<%= config.bin %> multicluster rotate --ca --context west --context east',
  ]
  static override flags = rotateFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(MulticlusterRotate)
    const request = await rotateRequest(flags)
    const [askInside, readServedChain] = await Promise.all([this.askInside(), this.readServedChain()])
    const report = await rotate(request, { ...(await this.connectMembers(flags)), askInside, readServedChain })
    this.answer(
      renderTrust(report, request.dryRun, flags.output, flags.diff),
      renderFindings(report.result.problems),
      succeeded(report.result),
    )
  }
}
