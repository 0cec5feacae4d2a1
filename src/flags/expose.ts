/** Flags of expose. */

import { Flags, type Interfaces } from '@oclif/core'
import { NODE_PORT, OWN_PORT } from '../addons/port-choice.ts'
import { usageError } from '../errors.ts'
import type { ExposeRequest } from '../exposing/request.ts'
import { LAYOUTS } from '../gateways/layout.ts'
import { isPlainPath } from '../text.ts'
import { ACCESS_GROUP, accessFlags, guardOf } from './access.ts'
import { authorityPair, certificateFlags } from './cert.ts'
import {
  addonPort,
  address,
  defaultInDescription,
  diff,
  domain,
  dryRun,
  dryRunOf,
  duration,
  parseDuration,
  requireExposed,
  yes,
} from './values.ts'

/** `8h`, or `never`. */
const ttl = Flags.custom<number | 'never'>({
  helpValue: 'DURATION',
  parse: async (text) => (text === 'never' ? text : parseDuration(text, '--ttl')),
})

/** `NAMESPACE/SERVICE`. */
export const namespacedName = Flags.custom<{ namespace: string; name: string }>({
  helpValue: 'NAMESPACE/SERVICE',
  parse: async (text) => requireNamespacedName(text),
})

/** @throws UserError GATEWAY_INVALID (exit 2) */
export function requireNamespacedName(text: string): { namespace: string; name: string } {
  const [namespace, name, more] = text.split('/')
  if (namespace && name && more === undefined) return { namespace, name }
  throw usageError('GATEWAY_INVALID', `--gateway ${JSON.stringify(text)} is not NAMESPACE/SERVICE`, [
    '--gateway istio-ingress/istio-ingress',
  ])
}

const layout = Flags.option({ options: LAYOUTS })

/** `31531`, or `grafana=31531` for one of several add-ons. */
const nodePort = Flags.custom<{ addon?: string | undefined; port: number }>({
  helpValue: '[NAME=]PORT',
  multiple: true,
  multipleNonGreedy: true,
  parse: async (text) => addonPort(text, NODE_PORT, 31531),
})

/** `8080`, or `grafana=8080` or `svc/productpage=8080` for one of several. */
const ownPort = Flags.custom<{ addon?: string | undefined; port: number }>({
  helpValue: '[NAME=]PORT',
  multiple: true,
  multipleNonGreedy: true,
  parse: async (text) => addonPort(text, OWN_PORT, 8080),
})

const path = Flags.custom<string>({
  helpValue: 'PATH',
  multiple: true,
  multipleNonGreedy: true,
  parse: async (text) => {
    if (text.startsWith('/') && isPlainPath(text)) return text
    throw usageError('PATHS_INVALID', `--path ${JSON.stringify(text)} is not a plain path that begins with /`, [
      '--path /productpage --path /static/   # one page, and all below /static/',
    ])
  },
})

/** Flags of `expose`. */
export const exposeFlags = {
  namespace: Flags.string({
    char: 'n',
    helpValue: 'NAMESPACE',
    description:
      'Namespace of the add-ons (default: all namespaces) and of the Services (default: that of the context)',
  }),
  domain: domain({
    description: 'Domain of the hosts (default: the one in use, else ADDRESS.nip.io, for IPv6 ADDRESS.sslip.io)',
  }),
  'ingress-ip': address({
    description:
      'Address of the ingress gateway, and its port outside if that is another one than that of its Service (default: from its Service, else from a node)',
  }),
  gateway: namespacedName({ description: 'Ingress gateway to use (default: the only one)' }),
  layout: layout({
    description:
      'hosts: one host for each add-on; ports: one host, a port from 15029 to 15032 for each add-on (default: the layout in use, else hosts)',
  }),
  port: ownPort({
    description:
      'Port of the gateway for one exposure only, added to the Service; 443 (80 with --insecure) moves it back to the shared port',
  }),
  'node-port': nodePort({ description: 'Node port for --port or --layout ports (default: any free port)' }),
  'any-host': Flags.boolean({
    allowNo: true,
    description: 'With --port: answer for any host name, and for the bare address (default: unchanged)',
  }),
  path: path({
    description:
      'Let only this path of a Service through, or all paths below it if it ends with a slash; repeatable; / removes the limit (default: unchanged)',
  }),
  insecure: Flags.boolean({ description: 'Use HTTP instead of HTTPS: all traffic is plaintext' }),
  link: Flags.boolean({ description: "Set Kiali's links to Grafana and tracing to the new URLs; restarts Kiali" }),
  ...accessFlags,
  'allow-anonymous': Flags.boolean({
    helpGroup: ACCESS_GROUP,
    description: 'Expose add-ons and Services that let anyone in without a login',
  }),
  ttl: ttl({
    description:
      'Expire after this time; "cleanup --expired" then removes the exposure; "never" removes the limit (default: unchanged)',
  }),
  'while-running': Flags.boolean({
    exclusive: ['dry-run', 'diff'],
    description: 'Keep running, and remove the exposure on Ctrl-C, SIGTERM, SIGHUP or when --ttl is over',
  }),
  'dry-run': dryRun({
    description:
      'client: print the objects, even without a cluster; server: validate them on the API server; both change nothing (default: none)',
  }),
  diff,
  timeout: duration({
    flag: '--timeout',
    default: 60_000,
    defaultHelp: defaultInDescription,
    description: 'Time limit for each page to answer (default: 1m)',
  }),
  yes,
  ...certificateFlags,
}

type ExposeFlags = Interfaces.InferredFlags<typeof exposeFlags> & { namespace: string | undefined }

/** @throws UserError PATHS_INVALID (exit 2) */
function requirePathsFit({ addons, services }: ReturnType<typeof requireExposed>): void {
  if (services.length === 1 && addons.names.length === 0) return
  const message = '--path is for exactly one Service; which paths of an add-on are let through is known'
  throw usageError('PATHS_INVALID', message, ['svc/NAME --path /productpage'])
}

/** What the flags and arguments ask for, each field by its name. */
export function exposeRequestOf(flags: ExposeFlags, words: string[]): ExposeRequest & { whileRunning: boolean } {
  const exposed = requireExposed(words)
  if (flags.path !== undefined) requirePathsFit(exposed)
  return {
    ...exposed,
    namespace: flags.namespace,
    domain: flags.domain,
    ingressAddress: flags['ingress-ip'],
    gateway: flags.gateway,
    layout: flags.layout,
    ports: flags.port ?? [],
    nodePorts: flags['node-port'] ?? [],
    anyHost: flags['any-host'],
    paths: flags.path ?? [],
    insecure: flags.insecure,
    link: flags.link,
    tlsSecret: flags['tls-secret'],
    tlsIssuer: flags['tls-issuer'],
    userAuthority: authorityPair(flags),
    guard: guardOf(flags),
    terms: { allowAnonymous: flags['allow-anonymous'], ttl: flags.ttl },
    whileRunning: flags['while-running'],
    timeout: flags.timeout,
    yes: flags.yes,
    dryRun: dryRunOf(flags),
  }
}
