import { multiclusterStatus, succeeded } from '../../multicluster/status.ts'
import { MulticlusterCommand } from '../../multicluster-command.ts'
import { renderMulticlusterStatus } from '../../rendering/multicluster/clusters.ts'

export default class MulticlusterStatus extends MulticlusterCommand {
  static override summary = 'Show roots of trust, gateways and exported services, and what is wrong'
  static override description =
    `Asks every proxy which root it trusts and which CA signed its certificate, compares each exported service with the pods and the \
gateway that serve it, and calls it once from a pod of the calling cluster. Changes nothing. The exit code is 1 if something does not work.`
  static override examples = [
    '<%= config.bin %> multicluster status --context west --context east',
    '<%= config.bin %> multicluster status --context west --context east -o json',
  ]

  async run(): Promise<void> {
    const { flags } = await this.parse(MulticlusterStatus)
    const [pods, askDns, { readers, ...world }] = await Promise.all([
      this.pods(),
      this.askDns(),
      this.connectMembers(flags),
    ])
    const status = await multiclusterStatus({ ...world, members: readers, ...pods, pods, askDns })
    this.answer(renderMulticlusterStatus(status, flags.output), '', succeeded(status))
  }
}
