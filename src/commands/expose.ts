import { Args, Flags } from '@oclif/core'
import { requireAddons } from '../addons/catalog.ts'
import { TelemetryCommand } from '../base-command.ts'
import { address, domain, dryRun, duration, layout, namespacedName, nodePort, yes } from '../flags.ts'
import { expose } from '../operations/expose.ts'
import { succeeded } from '../operations/expose-result.ts'
import { renderExpose, renderExposeWarnings } from '../rendering/expose.ts'

export default class Expose extends TelemetryCommand {
  static override summary = 'make add-ons reachable from outside, by HTTPS through the ingress gateway'
  static override description =
    `finds the add-on and the ingress gateway wherever they are, makes a certificate, routes a host to the
add-on, and fetches the page at the end. Run twice, it changes nothing. "kubectl telemetry cleanup" takes it away.`
  static override examples = [
    '<%= config.bin %> expose grafana --allow-anonymous',
    '<%= config.bin %> expose grafana --domain example.com',
    '<%= config.bin %> expose grafana --gateway istio-ingress/istio-ingress --ingress-ip 192.0.2.10',
    '<%= config.bin %> expose all --layout ports',
    '<%= config.bin %> expose grafana --dry-run=server -o yaml',
  ]
  static override args = {
    addon: Args.string({ name: 'addon', multiple: true, description: 'add-ons to expose (default: all)' }),
  }
  static override flags = {
    domain: domain({ description: 'hosts are names below it (default: ADDRESS.nip.io)' }),
    'ingress-ip': address({
      description: 'where the ingress gateway is reached (default: what its Service or a node says)',
    }),
    gateway: namespacedName({ description: 'which ingress gateway (default: the only one)' }),
    layout: layout({
      description: 'hosts: a host for each add-on on one port; ports: one host, ports 15029 to 15032 (default: hosts)',
    }),
    'node-port': nodePort({ description: 'node port for an add-on in --layout ports (default: any free one)' }),
    insecure: Flags.boolean({ description: 'HTTP instead of HTTPS: everything goes over the network in clear' }),
    'allow-anonymous': Flags.boolean({ description: 'expose an add-on that lets anyone in without a login' }),
    'dry-run': dryRun(),
    timeout: duration({
      flag: '--timeout',
      default: 60_000,
      defaultHelp: async () => '1m',
      description: 'how long to wait for the page to answer',
    }),
    yes,
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Expose)
    const { 'ingress-ip': ingressAddress, 'allow-anonymous': allowAnonymous, 'dry-run': dryRun, ...rest } = flags
    const addons = requireAddons(args.addon ?? [])
    const request = { ...rest, addons, ingressAddress, allowAnonymous, dryRun, nodePorts: flags['node-port'] ?? [] }
    const report = await expose(request, await this.connect(flags))
    this.answer(
      renderExpose(report, dryRun, flags.output),
      renderExposeWarnings(report, dryRun, flags.output),
      succeeded(report.result),
    )
  }
}
