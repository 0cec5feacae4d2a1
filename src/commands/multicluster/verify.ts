import { verifyArg, verifyFlags, verifyRequestOf } from '../../flags/verifying.ts'
import { exportedBetween } from '../../multicluster/exporting/find.ts'
import { succeeded } from '../../multicluster/verifying/result.ts'
import { verify } from '../../multicluster/verifying/verify.ts'
import { MulticlusterCommand } from '../../multicluster-command.ts'
import { renderFindings } from '../../rendering/findings.ts'
import { renderVerified } from '../../rendering/multicluster/verify.ts'

export default class MulticlusterVerify extends MulticlusterCommand {
  static override summary = 'Call exported services, and name the hop that fails'
  static override description =
    `Calls each exported service from a pod of the cluster that it is exported to, with curl, wget or nc of the pod's own container, \
and looks into the caller's sidecar and, if the call fails, into the gateway and the pods of the serving cluster. The hops are name, \
sidecar, gateway, identity and call. To a port without HTTP it opens a connection and sends nothing: that proves the way to the proxy \
of a pod with the right identity. Changes nothing, except that a pod of --probe-image comes and goes.`
  static override usage = '<%= command.id %> [HOST] [flags]'
  static override examples = [
    'Each exported service\n<%= config.bin %> multicluster verify --context west --context east',
    'From one workload\n<%= config.bin %> multicluster verify httpbin.bar.global --from foo/sleep --path /headers --context west --context east',
    'From a workload without curl and wget\n<%= config.bin %> multicluster verify --from foo/shop --probe-image curlimages/curl:8.17.0 --context west --context east',
  ]
  static override args = { host: verifyArg }
  static override flags = verifyFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MulticlusterVerify)
    const [pods, connected] = await Promise.all([this.pods(), this.connectMembers(flags)])
    const { members, readers, terminal, clock, random } = connected
    const request = verifyRequestOf(flags, args.host)
    const needs = { members, terminal, clock, random, pods, ending: () => this.endSignal() }
    const result = await verify(request, { ...needs, exported: () => exportedBetween(readers) })
    this.answer(renderVerified(result, flags.output), renderFindings([...result.problems]), succeeded(result))
  }
}
