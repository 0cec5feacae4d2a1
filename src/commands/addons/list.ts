import { listFlags } from '../../flags/addons.ts'
import { listAddons } from '../../installing/list.ts'
import { renderAddonList } from '../../rendering/addons.ts'
import { renderFindings } from '../../rendering/findings.ts'
import { TelemetryCommand } from '../../telemetry-command.ts'

export default class AddonsList extends TelemetryCommand {
  static override summary = 'List the add-ons: where each runs, its version, and the version that fits Istio'
  static override description =
    "Finds add-ons by the images of Deployments and StatefulSets, no matter who installed them. The last column has the version in \
Istio's samples for the running istiod. Changes nothing."
  static override examples = [
    '<%= config.bin %> addons list',
    '<%= config.bin %> addons list -n istio-system',
    '<%= config.bin %> addons list -o json',
  ]
  static override flags = listFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(AddonsList)
    const { namespace, revision } = flags
    const needs = { ...(await this.connectCluster(flags)), samples: this.sampleFiles() }
    const list = await listAddons({ namespace, revision }, needs)
    this.answer(renderAddonList(list, flags.output), renderFindings(list.warnings), true)
  }
}
