import { targetArg, trafficFlags, trafficRequestOf } from '../flags/traffic.ts'
import { renderProgress, renderTraffic } from '../rendering/traffic.ts'
import { TelemetryCommand } from '../telemetry-command.ts'
import { exitOf } from '../traffic/result.ts'
import { traffic } from '../traffic/traffic.ts'

export default class Traffic extends TelemetryCommand {
  static override summary = 'Send test requests to something exposed, and show what the mesh recorded of them'
  static override description =
    `Requests go through the ingress gateway, at times given by the clock: a latency counts from the moment at which the request was due. \
Only hosts that an ingress gateway of the context serves; only GET and HEAD. Ctrl-C ends it with the summary and exit code 130. \
Changes nothing in the cluster.`
  static override usage = '<%= command.id %> [ADDON | svc/NAME | URL] [flags]'
  static override examples = [
    'The only exposure, 1000 requests in 50 seconds\n<%= config.bin %> traffic',
    'A Service\n<%= config.bin %> traffic svc/productpage -n bookinfo --requests 200 --path /productpage',
    'For ten minutes\n<%= config.bin %> traffic svc/productpage -n bookinfo --for 10m --rate 5',
    'A host of your own Gateway\n<%= config.bin %> traffic https://shop.example.com/cart',
    'A Service that is not exposed\n<%= config.bin %> traffic svc/details -n bookinfo --via api-server --path /details/0',
  ]
  static override args = { target: targetArg }
  static override flags = trafficFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Traffic)
    const request = trafficRequestOf(flags, args.target ?? [])
    const [world, environment] = await Promise.all([this.connect(flags), this.trafficEnvironment()])
    const progress = this.progress(flags, renderProgress)
    const result = await traffic(request, world, { ...environment, progress })
    this.answer(...renderTraffic(result, flags.output), exitOf(result))
  }
}
