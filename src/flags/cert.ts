/** Flags of `cert`. */
import { readFile } from 'node:fs/promises'
import { Args, Flags } from '@oclif/core'
import { EXPORTS } from '../certificates/export.ts'
import type { BroughtPair } from '../certificates/user-authority.ts'
import { usageError } from '../errors.ts'
import { address, domain, dryRun, duration, parseDuration, yes } from './values.ts'

const DAY = 24 * 60 * 60 * 1000

/** `14d` or, as other durations are written, `336h`; in milliseconds. */
export function parseDays(text: string, flag: string): number {
  const [, days] = /^(\d{1,6})d$/.exec(text) ?? []
  if (days !== undefined) return Number(days) * DAY
  try {
    return parseDuration(text, flag)
  } catch {
    throw usageError('DURATION_INVALID', `${flag} ${JSON.stringify(text)} is not a duration`, [`${flag} 14d`])
  }
}

const days = Flags.custom<number, { flag: string }>({
  helpValue: 'DURATION',
  parse: async (text, _context, { flag }) => parseDays(text, flag),
})

/** Which Gateways of ours. */
export const gatewayOf = {
  namespace: Flags.string({
    char: 'n',
    helpValue: 'NAMESPACE',
    description: "the ingress gateway's namespace, where the TLS Secret is (default: every namespace is searched)",
  }),
}

/** The same, and how they are reached from here. */
export const gatewayChoice = {
  ...gatewayOf,
  'ingress-ip': address({
    description: 'where the ingress gateway is reached (default: what its Service or a node says)',
  }),
}

export const expiresIn = days({
  flag: '--expires-in',
  default: 14 * DAY,
  defaultHelp: async () => '14d',
  description: 'complain of a certificate that has less time left',
})

/** How a change of certificates is made. */
export const changing = {
  'dry-run': dryRun(),
  timeout: duration({
    flag: '--timeout',
    default: 30_000,
    defaultHelp: async () => '30s',
    description: 'how long to wait until the gateway serves the new certificate',
  }),
  yes,
}

const KEY_TYPES = { rsa2048: 2048, rsa3072: 3072, rsa4096: 4096 } as const

/** Bits of an RSA key. */
const keyType = Flags.custom<number>({
  helpValue: 'TYPE',
  options: Object.keys(KEY_TYPES),
  parse: async (text) => KEY_TYPES[text as keyof typeof KEY_TYPES],
})

export const keyTypeFlag = {
  'key-type': keyType({
    description: 'rsa2048, rsa3072 or rsa4096 for the new key (default: as the one before, else rsa2048)',
  }),
}

export interface NamedText {
  name: string
  text: string
}

/** A file that is read at once, so that a wrong name is wrong usage. */
const file = Flags.custom<NamedText, { flag: string }>({
  helpValue: 'FILE',
  parse: async (name, _context, { flag }) => ({ name, text: await readText(name, flag) }),
})

async function readText(path: string, flag: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw usageError('FILE_UNREADABLE', `${flag} ${path} cannot be read: ${(error as Error).message}`)
  }
}

/** An authority that people have already. */
export const broughtAuthority = {
  'ca-cert': file({
    flag: '--ca-cert',
    dependsOn: ['ca-key'],
    description: 'PEM certificate of an authority of your own to sign with',
  }),
  'ca-key': file({ flag: '--ca-key', dependsOn: ['ca-cert'], description: 'its key, RSA in PEM, without a password' }),
}

/** `NAME`, or `NAMESPACE/NAME`. */
const secretName = Flags.custom<{ namespace?: string | undefined; name: string }>({
  helpValue: '[NAMESPACE/]NAME',
  parse: async (text) => {
    const [, namespace, name] = /^(?:([a-z0-9-]+)\/)?([a-z0-9][a-z0-9.-]*)$/.exec(text) ?? []
    if (name !== undefined) return { namespace, name }
    throw usageError('SECRET_NAME_INVALID', `--tls-secret ${JSON.stringify(text)} is not NAME or NAMESPACE/NAME`, [
      '--tls-secret our-tls',
    ])
  },
})

/** `NAME` or `Issuer/NAME` beside the gateway, or `ClusterIssuer/NAME`. */
const issuer = Flags.custom<{ kind: 'Issuer' | 'ClusterIssuer'; name: string }>({
  helpValue: '[KIND/]NAME',
  parse: async (text) => {
    const [, kind, name] = /^(?:(issuer|clusterissuer)\/)?([a-z0-9][a-z0-9.-]*)$/i.exec(text) ?? []
    if (name !== undefined) return { kind: kind?.toLowerCase() === 'clusterissuer' ? 'ClusterIssuer' : 'Issuer', name }
    throw usageError(
      'ISSUER_INVALID',
      `--tls-issuer ${JSON.stringify(text)} is not NAME, Issuer/NAME or ClusterIssuer/NAME`,
      ['--tls-issuer ClusterIssuer/letsencrypt'],
    )
  },
})

/** What `expose` can serve with instead of what it makes. */
export const broughtFlags = {
  'tls-secret': secretName({
    exclusive: ['insecure', 'ca-cert', 'ca-key'],
    description: "a TLS Secret of your own beside the gateway's pods (default: the one in use, else ours)",
  }),
  'tls-issuer': issuer({
    exclusive: ['insecure', 'tls-secret', 'ca-cert', 'ca-key'],
    description: 'an Issuer of cert-manager that is to make the certificate (default: the one in use, else none)',
  }),
  ...broughtAuthority,
}

/** What was brought, if anything was. */
export function broughtPair(flags: {
  'ca-cert'?: NamedText | undefined
  'ca-key'?: NamedText | undefined
}): BroughtPair | undefined {
  const { 'ca-cert': certificate, 'ca-key': key } = flags
  if (certificate === undefined || key === undefined) return undefined
  return { certificate: certificate.text, key: key.text, certificateName: certificate.name, keyName: key.name }
}

export const certDomain = domain({ description: 'the domain that it vouches for (default: the one in use)' })

/** What `cert export` can give out. */
export const exportArgs = {
  what: Args.option({ options: EXPORTS })({
    required: true,
    description:
      'ca: the authority, for clients to trust; fullchain: the certificate and the authority; pkcs12: both and the key, with a password',
  }),
}

export const exportFlags = {
  ...gatewayOf,
  file: Flags.string({
    char: 'f',
    helpValue: 'FILE',
    description: 'write it there (default: print it); needed for pkcs12',
  }),
  'password-file': file({
    flag: '--password-file',
    description: "file with the PKCS#12 file's password on its first line (default: one is made and shown)",
  }),
}

export function firstLine(file: NamedText | undefined): string | undefined {
  return file?.text.split(/\r?\n/)[0]
}

/** Flags of `cert rotate`. */
export const rotateFlags = {
  ca: Flags.boolean({
    description: 'begin to change over to a new authority: clients are to trust it beside the old one',
  }),
  finish: Flags.boolean({ description: 'end that: the new authority signs, the old one is forgotten' }),
  ...broughtAuthority,
  ...keyTypeFlag,
  ...gatewayChoice,
  ...changing,
}

/** Flags of `cert trust`. */
export const trustFlags = {
  ...gatewayOf,
  domain: domain({ description: 'whose authority this machine has (default: those that are exposed with)' }),
  remove: Flags.boolean({
    default: false,
    description: 'forget instead: all that was trusted by this command, or that of --domain alone',
  }),
  'dry-run': Flags.option({ options: ['none', 'client'] as const })({
    default: 'none',
    description: 'client: print the commands, run none',
  }),
  yes,
}
