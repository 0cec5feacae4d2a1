/** Flags as kubectl's users know them. Values are checked here, before anything is read: a wrong one is exit code 2. */
import { Flags } from '@oclif/core'
import { requireAddons } from './addons/catalog.ts'
import { usageError } from './errors.ts'
import { LAYOUTS } from './gateways/layout.ts'
import { requireAddress, requireDomain } from './gateways/names.ts'

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** `30s`, `1m30s`, `500ms` to milliseconds, as kubectl writes durations. */
export function parseDuration(text: string, flag: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  const total = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? ''] ?? 0), 0)
  if (parts.map(([part]) => part).join('') !== text || total <= 0) {
    throw usageError('DURATION_INVALID', `${flag} ${JSON.stringify(text)} is not a duration`, [
      `${flag} 30s`,
      `${flag} 2m`,
    ])
  }
  return total
}

export const duration = Flags.custom<number, { flag: string }>({
  helpValue: 'DURATION',
  parse: async (text, _context, { flag }) => parseDuration(text, flag),
})

export const domain = Flags.custom<string>({ helpValue: 'DOMAIN', parse: async (text) => requireDomain(text) })

export const address = Flags.custom<string>({ helpValue: 'ADDRESS', parse: async (text) => requireAddress(text) })

/** `NAMESPACE/SERVICE`. */
export const namespacedName = Flags.custom<{ namespace: string; name: string }>({
  helpValue: 'NAMESPACE/SERVICE',
  parse: async (text) => {
    const [namespace, name, more] = text.split('/')
    if (namespace && name && more === undefined) return { namespace, name }
    throw usageError('GATEWAY_INVALID', `--gateway ${JSON.stringify(text)} is not NAMESPACE/SERVICE`, [
      '--gateway istio-ingress/istio-ingress',
    ])
  },
})

export const dryRun = Flags.option({
  options: ['none', 'client', 'server'] as const,
  default: 'none' as const,
  description: 'client: print what would be sent; server: let the API server try it too. Nothing is kept either way',
})

export const layout = Flags.option({ options: LAYOUTS })

/** `31531`, or `grafana=31531` where several add-ons are exposed. */
export const nodePort = Flags.custom<{ addon?: string | undefined; port: number }>({
  helpValue: '[ADDON=]PORT',
  multiple: true,
  parse: async (text) => {
    const [, word, digits] = /^(?:([^=]+)=)?(\d{1,5})$/.exec(text) ?? []
    const port = Number(digits)
    if (digits !== undefined && port >= 1 && port <= 65535)
      return { addon: word === undefined ? undefined : requireAddons([word]).names[0], port }
    throw usageError('NODE_PORT_INVALID', `--node-port ${JSON.stringify(text)} is not a port, or ADDON=PORT`, [
      '--node-port 31531',
      '--node-port grafana=31531',
    ])
  },
})

export const yes = Flags.boolean({ char: 'y', description: 'do it without asking' })

/** Flags of every command. */
export const shared = {
  namespace: Flags.string({
    char: 'n',
    helpValue: 'NAMESPACE',
    description: "the add-ons' namespace (default: every namespace is searched)",
  }),
  context: Flags.string({ helpValue: 'NAME', description: 'kubeconfig context (default: the current one)' }),
  kubeconfig: Flags.string({
    helpValue: 'FILE',
    description: 'kubeconfig file (default: $KUBECONFIG or ~/.kube/config)',
  }),
  as: Flags.string({ helpValue: 'USER', description: 'user to impersonate' }),
  'as-group': Flags.string({
    helpValue: 'GROUP',
    multiple: true,
    description: 'group to impersonate; may be repeated',
  }),
  'request-timeout': duration({
    flag: '--request-timeout',
    default: 30_000,
    defaultHelp: async () => '30s',
    description: 'for one request to the API server',
  }),
  output: Flags.option({ options: ['json', 'yaml'] as const })({ char: 'o', description: 'print the answer as data' }),
  verbose: Flags.boolean({ char: 'v', description: 'print every request to the API server on stderr' }),
}
