/** Flags of `scrape-secure`, as kubectl's users know them. Values are checked here, before anything is read. */
import { Args, Flags } from '@oclif/core'
import { usageError } from '../errors.ts'
import { diff, dryRun, duration, yes } from './values.ts'

/** kubectl's names for kinds that have a pod template. */
const KINDS: Record<string, string> = {
  ...{ deploy: 'Deployment', deployment: 'Deployment', deployments: 'Deployment' },
  ...{ sts: 'StatefulSet', statefulset: 'StatefulSet', statefulsets: 'StatefulSet' },
  ...{ ds: 'DaemonSet', daemonset: 'DaemonSet', daemonsets: 'DaemonSet' },
}

/** `deploy/web`, `statefulset.apps/db`, or `web`: of whatever kind. @throws UserError WORKLOAD_INVALID (exit 2) */
export function requireWorkloadNames(words: string[]): { kind: string | undefined; name: string }[] {
  return words.map((word) => {
    const [, short, name = ''] = /^(?:([a-z]+)(?:\.apps)?\/)?([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)$/.exec(word) ?? []
    const kind = short === undefined ? undefined : KINDS[short]
    if (name !== '' && (short === undefined || kind !== undefined)) return { kind, name }
    throw usageError('WORKLOAD_INVALID', `${JSON.stringify(word)} is no Deployment, StatefulSet or DaemonSet`, [
      'deploy/web',
      'sts/db',
      'ds/agent',
      'web',
    ])
  })
}

/** `NAMESPACE/NAME`, or `none`. */
const prometheusName = Flags.custom<string>({
  helpValue: 'NAMESPACE/NAME',
  parse: async (text) => {
    if (text === 'none' || /^[^/]+\/[^/]+$/.test(text)) return text
    throw usageError('PROMETHEUS_INVALID', `--prometheus ${JSON.stringify(text)} is not NAMESPACE/NAME`, [
      '--prometheus istio-system/prometheus',
      '--prometheus none   # the workloads alone',
    ])
  },
})

export const workloadArg = Args.string({
  name: 'workload',
  multiple: true,
  description: 'deploy/NAME, sts/NAME, ds/NAME or NAME (default: all that have a sidecar)',
})

const namespaces = {
  char: 'n',
  helpValue: 'NAMESPACE',
  multiple: true,
  // Else it would take the workloads that are named after it for namespaces.
  multipleNonGreedy: true,
} as const

export const scrapeFlags = {
  namespace: Flags.string({
    ...namespaces,
    description: "the workloads' namespace; may be repeated (default: the context's)",
  }),
  'all-namespaces': Flags.boolean({ char: 'A', description: 'all namespaces' }),
  selector: Flags.string({ char: 'l', helpValue: 'LABELS', description: 'only workloads with these labels' }),
  gateways: Flags.boolean({ description: 'the gateways there too' }),
  prometheus: prometheusName({
    description: 'which Prometheus, or "none": only the workloads are changed (default: the only one)',
  }),
  method: Flags.option({
    options: ['auto', 'native', 'sidecar'] as const,
    default: 'auto' as const,
    description:
      "native: the proxy's own ports (Istio 1.31 and newer); sidecar: a Sidecar object; auto: by Istio's version",
  })(),
  harden: Flags.boolean({ description: 'when all targets are up, close the ports that serve metrics in clear' }),
  'only-prometheus': Flags.boolean({
    description: 'let nobody but Prometheus read the metrics, not even others with a certificate of the mesh',
  }),
  'dry-run': dryRun({
    description:
      'client: read the cluster, and print what would be sent; server: let the API server try it. Nothing is changed either way',
  }),
  diff,
  timeout: duration({
    flag: '--timeout',
    default: 120_000,
    defaultHelp: async () => '2m',
    description: 'how long to wait for the next pod to come back, and for the next target to be up',
  }),
  yes,
}

/** Of `scrape-secure status`. */
export const scrapeStatusFlags = {
  namespace: Flags.string({
    ...namespaces,
    description: 'only workloads of this namespace; may be repeated (default: all namespaces)',
  }),
  prometheus: prometheusName({
    description: 'which Prometheus, or "none": it is not asked (default: the one that was changed, or the only one)',
  }),
}

/** Of `cleanup`. */
export const scrapingCleanupFlags = {
  scraping: Flags.boolean({
    exclusive: ['certificates', 'documented-setup', 'expired'],
    description: 'undo scrape-secure, and leave what is exposed as it is',
  }),
  timeout: duration({
    flag: '--timeout',
    default: 120_000,
    defaultHelp: async () => '2m',
    description: 'with --scraping: how long to wait for the next pod to come back',
  }),
}
