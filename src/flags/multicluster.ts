/** Flags of `multicluster`. */
import { isIP } from 'node:net'
import { join } from 'node:path'
import { Flags, type Interfaces } from '@oclif/core'
import type { ObjectName } from '../cluster/cluster.ts'
import { UserError, usageError } from '../errors.ts'
import { addressAndPort, requireAddress } from '../gateways/names.ts'
import type { CertificatesRequest } from '../multicluster/certificates.ts'
import type { EntryAddressChoice } from '../multicluster/entry-gateway.ts'
import { isAmong } from '../multicluster/exporting/addresses.ts'
import { isClusterName } from '../multicluster/names.ts'
import type { WholeConnectRequest } from '../multicluster/prepare.ts'
import type { RotateRequest } from '../multicluster/rotate.ts'
import { CACERTS_FILES, type CacertsDirectory } from '../multicluster/trust/choice.ts'
import { shared } from './every-command.ts'
import { requireNamespacedName } from './expose.ts'
import { defaultInDescription, diff, dryRun, dryRunOf, readText, timeout, yes } from './values.ts'

const { as, 'as-group': groups, 'as-uid': uid, 'as-user-extra': extra } = shared

/** Flags of every command that works in several clusters. Those that replace a part of one context are not among them. */
export const severalClusters = {
  context: Flags.string({
    helpValue: '[NAME=]CONTEXT',
    multiple: true,
    multipleNonGreedy: true,
    description: 'Kubeconfig context of a cluster, and the name to give the cluster; twice or more',
  }),
  kubeconfig: shared.kubeconfig,
  as,
  'as-group': groups,
  'as-uid': uid,
  'as-user-extra': extra,
  'request-timeout': shared['request-timeout'],
  output: shared.output,
  verbose: shared.verbose,
}

/** `NAME=VALUE`, where NAME is the name of a cluster. @throws UserError CLUSTER_VALUE_INVALID (exit 2) */
function ofCluster(flag: string, text: string, example: string): { name: string; value: string } {
  const at = text.indexOf('=')
  const [name, value] = [text.slice(0, at), text.slice(at + 1)]
  if (at > 0 && isClusterName(name) && value !== '') return { name, value }
  throw clusterValueInvalid(
    `${flag} ${JSON.stringify(text)} is not NAME=VALUE with the name of a cluster`,
    `${flag} ${example}`,
  )
}

function clusterValueInvalid(message: string, ...suggestions: string[]): UserError {
  return usageError('CLUSTER_VALUE_INVALID', message, suggestions)
}

/** A flag that is given once for each cluster; several values for one are an error. */
function byCluster<T>(flag: string, entries: readonly { name: string; value: T }[] = []): Map<string, T> {
  const all = new Map<string, T>()
  for (const { name, value } of entries) {
    if (all.has(name)) throw clusterValueInvalid(`${flag} is given twice for cluster ${name}`)
    all.set(name, value)
  }
  return all
}

const several = { multiple: true, multipleNonGreedy: true } as const

const gateway = Flags.custom<{ name: string; value: Required<ObjectName> }>({
  helpValue: 'NAME=NAMESPACE/SERVICE',
  ...several,
  parse: async (text) => {
    const { name, value } = ofCluster('--gateway', text, 'west=istio-system/istio-ingressgateway')
    return { name, value: requireNamespacedName(value) }
  },
})

/** Where another cluster could never connect to. 240.240.0.0/16 is what istiod gives to hosts without an address. */
const NOWHERE = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '240.240.0.0/16',
  '255.255.255.255/32',
  '::/128',
  '::1/128',
  'ff00::/8',
  'fe80::/10',
]

const entryAddress = Flags.custom<{ name: string; value: EntryAddressChoice }>({
  helpValue: 'NAME=HOST[:PORT]',
  ...several,
  parse: async (text) => {
    const { name, value } = ofCluster('--address', text, 'west=203.0.113.7:15443')
    if (value === 'auto') return { name, value }
    const { address: host, port } = addressAndPort(checkedAddress(value))
    if (isIP(host) !== 0 && isAmong(host, NOWHERE))
      throw clusterValueInvalid(
        `--address ${JSON.stringify(text)}: no other cluster can reach ${host}`,
        '--address west=203.0.113.7',
      )
    return { name, value: { host, port } }
  },
})

function checkedAddress(value: string): string {
  try {
    return requireAddress(value)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    throw clusterValueInvalid(error.message.replace('--ingress-ip', '--address'), '--address west=203.0.113.7:15443')
  }
}

const cacerts = Flags.custom<{ name: string; value: CacertsDirectory }>({
  helpValue: 'NAME=DIR',
  ...several,
  parse: async (text) => {
    const { name, value: directory } = ofCluster('--cacerts', text, 'west=certificates/west')
    const texts = await Promise.all(CACERTS_FILES.map((file) => readText('--cacerts', join(directory, file))))
    const files = Object.fromEntries(CACERTS_FILES.map((file, index) => [file, texts[index]]))
    return { name, value: { directory, files: files as CacertsDirectory['files'] } }
  },
})

const port = Flags.custom<number>({
  helpValue: 'PORT',
  parse: async (text) => {
    const number = /^\d{1,5}$/.test(text) ? Number(text) : 0
    if (number >= 1 && number <= 65_535) return number
    throw clusterValueInvalid(`--port ${JSON.stringify(text)} is not a port`, '--port 443', '--port 15443')
  },
})

const trustFlags = {
  renew: Flags.option({ options: ['restart', 'wait'] as const })({
    default: 'restart' as const,
    defaultHelp: defaultInDescription,
    description:
      'How workloads get other roots and certificates: restart them one after the other, or wait until their proxies renew them within a day (default: restart)',
  }),
  'accept-unknown': Flags.boolean({
    description: 'Go on although some proxies cannot be asked which roots they trust',
  }),
  timeout: timeout({
    flag: '--timeout',
    default: 180_000,
    defaultHelp: defaultInDescription,
    description: 'How long to wait for each step (default: 3m)',
  }),
  yes,
}

const rootFlags = {
  'root-cert': rootCert('Root CA for all clusters (default: a new one)'),
  'root-key': Flags.string({ helpValue: 'FILE', dependsOn: ['root-cert'], description: 'Key of --root-cert' }),
}

function rootCert(description: string) {
  return Flags.string({ helpValue: 'FILE', dependsOn: ['root-key'], description })
}

export const connectFlags = {
  gateway: gateway({ description: 'Gateway by which a cluster is entered (default: its only ingress gateway)' }),
  port: port({ description: 'Port of the gateway; 15443 is added to its Service (default: 15443)' }),
  address: entryAddress({
    description:
      'How other clusters reach a gateway, behind NAT; NAME=auto: the address of its Service again (default: what a former run has recorded, else auto)',
  }),
  ...rootFlags,
  cacerts: cacerts({
    description: 'Directory with a ready CA for a cluster: ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem',
  }),
  'certificates-only': Flags.boolean({
    exclusive: ['finish', 'gateway', 'address', 'port'],
    description:
      'For clusters without Istio: makes the namespace istio-system with cacerts, and prints how to install Istio',
  }),
  finish: Flags.boolean({ description: 'Trust only the new root, when every proxy has a certificate of it' }),
  ...trustFlags,
  'dry-run': dryRun(),
  diff,
}

type ConnectFlags = Interfaces.InferredFlags<typeof connectFlags>

/** @throws UserError CLUSTER_VALUE_INVALID, FILE_UNREADABLE (exit 2) */
export async function connectRequest(flags: ConnectFlags): Promise<WholeConnectRequest> {
  const { port, renew, timeout, yes, finish } = flags
  return {
    gateways: byCluster('--gateway', flags.gateway),
    addresses: byCluster('--address', flags.address),
    port,
    files: { root: await rootFiles(flags), cacerts: byCluster('--cacerts', flags.cacerts) },
    certificatesOnly: flags['certificates-only'],
    finish,
    renew,
    acceptUnknown: flags['accept-unknown'],
    timeout,
    yes,
    dryRun: dryRunOf(flags),
  }
}

async function rootFiles({
  'root-cert': certificateName,
  'root-key': keyName,
}: Pick<ConnectFlags, 'root-cert' | 'root-key'>) {
  if (certificateName === undefined || keyName === undefined) return undefined
  const [certificate, key] = await Promise.all([
    readText('--root-cert', certificateName),
    readText('--root-key', keyName),
  ])
  return { certificate, key, certificateName, keyName }
}

export const rotateFlags = {
  ca: Flags.boolean({ description: 'Another root for all clusters' }),
  ...rootFlags,
  'root-cert': rootCert(
    'The root of the mesh, or with --ca the new one (default: the root that this machine has; with --ca a new one)',
  ),
  ...trustFlags,
  'dry-run': dryRun(),
  diff,
}

/** @throws UserError FILE_UNREADABLE (exit 2) */
export async function rotateRequest(flags: Interfaces.InferredFlags<typeof rotateFlags>): Promise<RotateRequest> {
  const { ca, renew, timeout, yes } = flags
  return {
    ca,
    files: { root: await rootFiles(flags), cacerts: new Map() },
    renew,
    acceptUnknown: flags['accept-unknown'],
    timeout,
    yes,
    dryRun: dryRunOf(flags),
  }
}

/** Flags of every command; `certificates` needs no cluster. */
export const withoutCluster = { output: shared.output, verbose: shared.verbose }

export const certificatesFlags = {
  cluster: Flags.custom<string>({
    helpValue: 'NAME',
    required: true,
    ...several,
    parse: async (text) => {
      if (isClusterName(text)) return text
      throw clusterValueInvalid(`--cluster ${JSON.stringify(text)} is not a name of a cluster`, '--cluster west')
    },
  })({ description: 'Name of a cluster; repeatable' }),
  out: Flags.string({
    helpValue: 'DIR',
    required: true,
    description: 'Directory for the files; nothing in it is overwritten',
  }),
  ...rootFlags,
  'istio-namespace': Flags.string({
    helpValue: 'NAMESPACE',
    default: 'istio-system',
    defaultHelp: defaultInDescription,
    description: 'Namespace of istiod (default: istio-system)',
  }),
}

/** @throws UserError CLUSTER_VALUE_INVALID, FILE_UNREADABLE (exit 2) */
export async function certificatesRequest(
  flags: Interfaces.InferredFlags<typeof certificatesFlags>,
): Promise<CertificatesRequest> {
  const names = byCluster(
    '--cluster',
    flags.cluster.map((name) => ({ name, value: name })),
  )
  return {
    clusters: [...names.keys()],
    out: flags.out,
    root: await rootFiles(flags),
    namespace: flags['istio-namespace'],
  }
}
