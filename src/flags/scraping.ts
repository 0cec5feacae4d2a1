/** Flags and arguments of `scrape-secure`, in kubectl's syntax. */
import { Args, Flags } from '@oclif/core'
import { usageError } from '../errors.ts'
import { defaultInDescription, diff, dryRun, duration, yes } from './values.ts'

/** kubectl's names for the kinds that have a pod template. */
const KINDS: Record<string, string> = {
  ...{ deploy: 'Deployment', deployment: 'Deployment', deployments: 'Deployment' },
  ...{ sts: 'StatefulSet', statefulset: 'StatefulSet', statefulsets: 'StatefulSet' },
  ...{ ds: 'DaemonSet', daemonset: 'DaemonSet', daemonsets: 'DaemonSet' },
}

/** Parses `deploy/web`, `statefulset.apps/db`, or `web` for any kind. @throws UserError WORKLOAD_INVALID (exit 2) */
export function requireWorkloadNames(words: string[]): { kind: string | undefined; name: string }[] {
  return words.map((word) => {
    const [, short, name = ''] = /^(?:([a-z]+)(?:\.apps)?\/)?([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)$/.exec(word) ?? []
    const kind = short === undefined ? undefined : KINDS[short]
    if (name !== '' && (short === undefined || kind !== undefined)) return { kind, name }
    throw usageError('WORKLOAD_INVALID', `${JSON.stringify(word)} is not a Deployment, StatefulSet or DaemonSet`, [
      'deploy/web',
      'sts/db',
      'ds/agent',
      'web',
    ])
  })
}

/** `NAMESPACE/NAME`, or `none`. */
export const prometheusName = Flags.custom<string>({
  helpValue: 'NAMESPACE/NAME',
  parse: async (text) => {
    if (text === 'none' || /^[^/]+\/[^/]+$/.test(text)) return text
    throw usageError('PROMETHEUS_NAME_INVALID', `--prometheus ${JSON.stringify(text)} is not NAMESPACE/NAME`, [
      '--prometheus istio-system/prometheus',
      '--prometheus none   # change only the workloads',
    ])
  },
})

export const workloadArg = Args.string({
  name: 'workload',
  multiple: true,
  description: 'Workloads: deploy/NAME, sts/NAME, ds/NAME or NAME (default: all with a sidecar)',
})

const namespaces = {
  char: 'n',
  helpValue: 'NAMESPACE',
  multiple: true,
  // A greedy flag would read the workloads after it as namespaces.
  multipleNonGreedy: true,
} as const

export const scrapeFlags = {
  namespace: Flags.string({
    ...namespaces,
    description: "Namespace of the workloads; repeatable (default: the context's namespace)",
  }),
  'all-namespaces': Flags.boolean({ char: 'A', description: 'Select workloads in all namespaces' }),
  selector: Flags.string({ char: 'l', helpValue: 'LABELS', description: 'Select only workloads with these labels' }),
  gateways: Flags.boolean({ description: 'Include the gateways in the selected namespaces' }),
  prometheus: prometheusName({
    description: 'Prometheus to change; "none" changes only the workloads (default: the only one)',
  }),
  method: Flags.option({
    options: ['auto', 'native', 'sidecar'] as const,
    default: 'auto' as const,
    defaultHelp: defaultInDescription,
    description:
      'native: secure ports of the proxy (Istio 1.31 and newer); sidecar: a Sidecar object; auto: by the Istio version (default: auto)',
  })(),
  harden: Flags.boolean({ description: 'Close the ports that serve plaintext metrics, once all targets are up' }),
  'only-prometheus': Flags.boolean({
    description: 'Let only Prometheus read the metrics, not every workload with a mesh certificate',
  }),
  'dry-run': dryRun({
    description:
      'client: read the cluster and print the objects; server: validate them on the API server; both change nothing (default: none)',
  }),
  diff,
  timeout: duration({
    flag: '--timeout',
    default: 120_000,
    defaultHelp: defaultInDescription,
    description: 'Time limit for each pod to become ready and for each target to be up (default: 2m)',
  }),
  yes,
}

/** Flags of `scrape-secure status`. */
export const scrapeStatusFlags = {
  namespace: Flags.string({
    ...namespaces,
    description: 'Show only workloads in this namespace; repeatable (default: all namespaces)',
  }),
  prometheus: prometheusName({
    description: 'Prometheus to query; "none" queries none (default: the changed one, else the only one)',
  }),
}
