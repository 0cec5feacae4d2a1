/** Flags as kubectl's users know them. Values are checked here, before anything is read: a wrong one is exit code 2. */
import { isIP } from 'node:net'
import { Flags } from '@oclif/core'
import { type AddonChoice, requireAddons } from '../addons/catalog.ts'
import { usageError } from '../errors.ts'
import { LAYOUTS } from '../gateways/layout.ts'
import { requireAddress, requireDomain } from '../gateways/names.ts'
import { accessFlags } from './access.ts'

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

/** `8h`, or `never`. */
const ttl = Flags.custom<number | 'never'>({
  helpValue: 'DURATION',
  parse: async (text) => (text === 'never' ? text : parseDuration(text, '--ttl')),
})

export const domain = Flags.custom<string>({ helpValue: 'DOMAIN', parse: async (text) => requireDomain(text) })

export const address = Flags.custom<string>({ helpValue: 'ADDRESS', parse: async (text) => requireAddress(text) })

/** `NAMESPACE/SERVICE`. */
const namespacedName = Flags.custom<{ namespace: string; name: string }>({
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
  description:
    'client: print what would be sent, also without a cluster; server: let the API server try it. Nothing is changed either way',
})

const layout = Flags.option({ options: LAYOUTS })

/** `31531`, or `grafana=31531` where several add-ons are exposed. */
const nodePort = Flags.custom<{ addon?: string | undefined; port: number }>({
  helpValue: '[ADDON=]PORT',
  multiple: true,
  multipleNonGreedy: true,
  parse: async (text) => addonPort(text, '--node-port', 'NODE_PORT_INVALID', 31531),
})

/** `31531` or `grafana=31531`. */
function addonPort(
  text: string,
  flag: string,
  code: string,
  example: number,
): { addon?: string | undefined; port: number } {
  const [, word, digits] = /^(?:([^=]+)=)?(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (digits !== undefined && port >= 1 && port <= 65535)
    return { addon: word === undefined ? undefined : requireAddons([word]).names[0], port }
  throw usageError(code, `${flag} ${JSON.stringify(text)} is not a port, or ADDON=PORT`, [
    `${flag} ${example}`,
    `${flag} grafana=${example}`,
  ])
}

/** What `port-forward` takes: add-ons, or `svc/NAME[:PORT]` alone. */
export function requireForwarded(words: string[]): { addons: AddonChoice; service?: { name: string; port?: number } } {
  const [first = '', second] = words
  const [, name, digits] =
    /^(?:svc|service|services)\/([a-z0-9]([-a-z0-9]*[a-z0-9])?)(?::(\d{1,5}))?$/.exec(first)?.toSpliced(2, 1) ?? []
  if (!/^(svc|services?)\//.test(first)) return { addons: requireAddons(words) }
  if (name === undefined || second !== undefined)
    throw usageError('SERVICE_INVALID', `${JSON.stringify(words.join(' '))} is not one svc/NAME or svc/NAME:PORT`, [
      'svc/httpbin:8000',
    ])
  return { addons: requireAddons([]), service: digits === undefined ? { name } : { name, port: Number(digits) } }
}

/** A diff is a dry run: the API server's, unless the client's was asked for. */
export function dryRunOf(flags: {
  'dry-run': 'none' | 'client' | 'server'
  diff: boolean
}): 'none' | 'client' | 'server' {
  return flags.diff && flags['dry-run'] === 'none' ? 'server' : flags['dry-run']
}

export const diff = Flags.boolean({
  exclusive: ['output'],
  description: 'print what would change as a diff, and change nothing (like --dry-run=server)',
})

export const yes = Flags.boolean({ char: 'y', description: 'do it without asking' })

/** Flags of `expose`. */
export const exposeFlags = {
  domain: domain({ description: 'hosts are names below it (default: ADDRESS.nip.io, or .sslip.io for IPv6)' }),
  'ingress-ip': address({
    description: 'where the ingress gateway is reached (default: what its Service or a node says)',
  }),
  gateway: namespacedName({ description: 'which ingress gateway (default: the only one)' }),
  layout: layout({
    description:
      'hosts: a host for each add-on on one port; ports: one host, ports 15029 to 15032 (default: the one in use, else hosts)',
  }),
  'node-port': nodePort({ description: 'node port for an add-on in --layout ports (default: any free one)' }),
  insecure: Flags.boolean({ description: 'HTTP instead of HTTPS: everything goes over the network in clear' }),
  link: Flags.boolean({ description: "set Kiali's links to Grafana and tracing to these addresses, and restart it" }),
  ...accessFlags,
  'allow-anonymous': Flags.boolean({ description: 'expose an add-on that lets anyone in without a login' }),
  ttl: ttl({
    description:
      'it expires after this long, and cleanup --expired takes it away; "never" lifts it (default: as it is, else never)',
  }),
  'while-running': Flags.boolean({
    exclusive: ['dry-run', 'diff'],
    description: 'wait, and take it away again on Ctrl-C, SIGTERM, SIGHUP or when --ttl is over',
  }),
  'dry-run': dryRun(),
  diff,
  timeout: duration({
    flag: '--timeout',
    default: 60_000,
    defaultHelp: async () => '1m',
    description: 'how long to wait for the page to answer',
  }),
  yes,
}

const localPort = Flags.custom<{ addon?: string | undefined; port: number }>({
  helpValue: '[ADDON=]PORT',
  multiple: true,
  multipleNonGreedy: true,
  parse: async (text) => addonPort(text, '-p', 'PORT_INVALID', 3001),
})

const localAddress = Flags.custom<string>({
  helpValue: 'ADDRESS',
  multiple: true,
  multipleNonGreedy: true,
  parse: async (text) => {
    if (isIP(text) !== 0) return text
    if (text === 'localhost') return '127.0.0.1'
    throw usageError('ADDRESS_INVALID', `--address ${JSON.stringify(text)} is not an IP address`, ['--address 0.0.0.0'])
  },
})

/** Flags of `port-forward`. */
export const portForwardFlags = {
  port: localPort({
    char: 'p',
    description: "port of this machine (default: the add-on's usual one, or the next free one)",
  }),
  address: localAddress({
    default: ['127.0.0.1', '::1'],
    description: 'address of this machine to listen on; may be repeated',
  }),
  for: duration({ flag: '--for', description: 'end after this long (default: on Ctrl-C)' }),
  wait: duration({
    flag: '--wait',
    default: 10_000,
    defaultHelp: async () => '10s',
    description: 'how long a connection waits for a Ready pod',
  }),
  open: Flags.boolean({ description: 'open the pages in the browser' }),
  'exit-on-loss': Flags.boolean({
    description: 'end with exit code 1 when the cluster is lost, instead of trying again',
  }),
}

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
    multipleNonGreedy: true,
    description: 'group to impersonate; may be repeated',
  }),
  'request-timeout': duration({
    flag: '--request-timeout',
    default: 30_000,
    defaultHelp: async () => '30s',
    description: 'for one request to the API server',
  }),
  output: Flags.option({ options: ['json', 'yaml'] as const })({ char: 'o', description: 'print the answer as data' }),
  verbose: Flags.boolean({
    char: 'v',
    description: 'print every request to the API server, and every connection forwarded, on stderr',
  }),
}
