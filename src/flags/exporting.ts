/** Flags of `multicluster export` and `multicluster cleanup`. */
import { Args, Flags } from '@oclif/core'
import { usageError } from '../errors.ts'
import { isDomain } from '../gateways/names.ts'
import { whyUnusable } from '../multicluster/exporting/addresses.ts'
import { defaultInDescription, diff, dryRun, duration, yes } from './values.ts'
import { verifyFlags } from './verifying.ts'

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
/** `kubectl-telemetry-egress-` and the host are the name of an object. */
const LONGEST_HOST = 200
/** Domains of the cluster itself: names below them are those of its own Services and of this machine. */
const OWN_DOMAINS = ['local', 'localhost', 'internal', 'svc']

/** @throws UserError EXPORT_HOST_INVALID (exit 2) */
function requireHost(text: string, flag: '--host' | '--suffix'): string {
  const host = text.toLowerCase().replace(/\.$/, '')
  const wrong = (why: string) =>
    usageError('EXPORT_HOST_INVALID', `${flag} ${JSON.stringify(text)} ${why}`, [
      '--suffix global   # httpbin.bar.global',
      '--host httpbin.shop.example',
    ])
  if (host.length > LONGEST_HOST) throw wrong(`has more than ${LONGEST_HOST} characters`)
  if (!isDomain(host)) throw wrong('is not a DNS name')
  if (OWN_DOMAINS.includes(host.split('.').at(-1) ?? '')) throw wrong('belongs to the cluster itself, or to no network')
  if (flag === '--host' && !host.includes('.')) throw wrong('has no dot, so it would be looked for as a Service')
  return host
}

/** @throws UserError EXPORT_ADDRESS_INVALID (exit 2) */
function requireCallAddress(text: string): string {
  const why = whyUnusable(text)
  if (why === undefined) return text
  throw usageError('EXPORT_ADDRESS_INVALID', `--address ${JSON.stringify(text)} ${why}`, ['--address 240.0.0.9'])
}

/** @throws UserError EXPORT_VIA_INVALID (exit 2) */
function requireVia(text: string): { namespace: string; name: string } {
  const [namespace = '', name = '', more] = text.split('/')
  if (LABEL.test(namespace) && LABEL.test(name) && more === undefined) return { namespace, name }
  throw usageError('EXPORT_VIA_INVALID', `--via-egress ${JSON.stringify(text)} is not NAMESPACE/SERVICE`, [
    '--via-egress istio-system/istio-egressgateway',
  ])
}

/** @throws UserError EXPORT_SUBSET_INVALID (exit 2) */
function requireLabel(text: string): string {
  if (/^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/.test(text)) return text
  throw usageError('EXPORT_SUBSET_INVALID', `--subsets ${JSON.stringify(text)} is not the key of a label`, [
    '--subsets version',
  ])
}

/** @throws UserError EXPORT_SERVICE_INVALID (exit 2) */
export function requireExportable(name: string, namespace: string): { name: string; namespace: string } {
  const plain = name.replace(/^(svc|services?)\//, '')
  if (LABEL.test(plain) && LABEL.test(namespace)) return { name: plain, namespace }
  const message = `${JSON.stringify(`${namespace}/${plain}`)} is not the name of a Service in a namespace`
  throw usageError('EXPORT_SERVICE_INVALID', message, ['httpbin -n bar'])
}

/** Restarting all pods of a mesh is nothing that an export does. @throws UserError DNS_CAPTURE_TOO_WIDE (exit 2) */
export function requireCapturable(dns: 'auto' | 'coredns' | 'proxy' | 'none', into: string | undefined): typeof dns {
  if (dns !== 'proxy' || into !== undefined) return dns
  const message = '--dns proxy restarts the pods of callers, so it needs the namespace of --into'
  throw usageError('DNS_CAPTURE_TOO_WIDE', message, [
    '--dns proxy --into NAMESPACE',
    '--dns coredns',
    'istioctl install --set meshConfig.defaultConfig.proxyMetadata.ISTIO_META_DNS_CAPTURE=true   # for all pods; then --dns auto',
  ])
}

const clusterNames = Flags.custom<string>({ helpValue: 'CLUSTER', multiple: true, multipleNonGreedy: true })

const timeout = duration({
  flag: '--timeout',
  default: 150_000,
  defaultHelp: defaultInDescription,
  description: 'Time limit for names to be known, and for the next pod of a restarted workload (default: 150s)',
})

export const exportArg = Args.string({ name: 'service', required: true, description: 'The Service to export' })

export const exportFlags = {
  namespace: Flags.string({
    char: 'n',
    required: true,
    helpValue: 'NAMESPACE',
    description: 'Namespace of the Service',
  }),
  in: clusterNames({ required: true, description: 'Cluster that serves it; several for one host' }),
  to: clusterNames({ description: 'Cluster that calls it; repeatable (default: all others)' }),
  host: Flags.custom<string>({
    helpValue: 'HOST',
    description: 'Name by which it is called (default: SERVICE.NAMESPACE.SUFFIX)',
    parse: async (text) => requireHost(text, '--host'),
  })(),
  suffix: Flags.custom<string>({
    helpValue: 'DOMAIN',
    default: 'global',
    defaultHelp: defaultInDescription,
    description: 'End of that name (default: global)',
    parse: async (text) => requireHost(text, '--suffix'),
  })(),
  address: Flags.custom<string>({
    helpValue: 'ADDRESS',
    description: 'Address of that name in calling clusters (default: the lowest free one of 240.0.0.0/16)',
    parse: async (text) => requireCallAddress(text),
  })(),
  into: Flags.string({
    helpValue: 'NAMESPACE',
    description: 'The only namespace of calling clusters that may call it (default: all)',
  }),
  subsets: Flags.custom<string>({
    helpValue: 'LABEL',
    description: 'Label of its pods whose values become subsets, for routes of callers: version',
    parse: async (text) => requireLabel(text),
  })(),
  'via-egress': Flags.custom<{ namespace: string; name: string }>({
    helpValue: 'NAMESPACE/SERVICE',
    description: 'Egress gateway of calling clusters through which calls are sent',
    parse: async (text) => requireVia(text),
  })(),
  dns: Flags.option({
    options: ['auto', 'coredns', 'proxy', 'none'] as const,
    default: 'auto' as const,
    defaultHelp: defaultInDescription,
    description:
      'How callers find the address: a block in the configuration of CoreDNS, their sidecars (restarts them), or as you arrange it (default: auto)',
  })(),
  from: verifyFlags.from,
  timeout,
  'dry-run': dryRun(),
  diff,
  yes,
}

export const cleanupArg = Args.string({
  name: 'host',
  multiple: true,
  description: 'Hosts of exported services to remove (default: all exports)',
})

export const cleanupFlags = {
  trust: Flags.boolean({
    description:
      'Undo "multicluster connect": each cluster trusts only its own root again, and restarts its workloads for it',
  }),
  'accept-unknown': Flags.boolean({
    dependsOn: ['trust'],
    description: 'Go on although some proxies cannot be asked which roots they trust',
  }),
  timeout,
  'dry-run': dryRun(),
  yes,
}
