/** Flags of `cert`. */
import { Args, Flags } from '@oclif/core'
import { EXPORTS } from '../certificates/export.ts'
import { requireFingerprint } from '../certificates/fingerprint.ts'
import type { UserKeyPair } from '../certificates/user-authority.ts'
import { usageError } from '../errors.ts'
import {
  address,
  defaultInDescription,
  domain,
  dryRun,
  duration,
  durationInvalid,
  parseDuration,
  readText,
  yes,
} from './values.ts'

const DAY = 24 * 60 * 60 * 1000

/** Parses `14d`, or any other duration such as `336h`, to milliseconds. @throws UserError DURATION_INVALID (exit 2) */
export function parseDays(text: string, flag: string): number {
  const [, days] = /^(\d{1,6})d$/.exec(text) ?? []
  if (days !== undefined) return Number(days) * DAY
  try {
    return parseDuration(text, flag)
  } catch {
    throw durationInvalid(text, flag, '14d')
  }
}

const days = Flags.custom<number, { flag: string }>({
  helpValue: 'DURATION',
  parse: async (text, _context, { flag }) => parseDays(text, flag),
})

/** Selects Gateways that kubectl telemetry created. */
const gatewayNamespace = {
  namespace: Flags.string({
    char: 'n',
    helpValue: 'NAMESPACE',
    description: 'Namespace of the ingress gateway and its TLS Secret (default: all namespaces)',
  }),
}

/** Selects Gateways, and the address at which this machine reaches them. */
export const gatewayFlags = {
  ...gatewayNamespace,
  'ingress-ip': address({
    description:
      'Address of the ingress gateway, and its port outside if that is another one than that of its Service (default: from its Service, else from a node)',
  }),
}

export const expiresIn = days({
  flag: '--expires-in',
  default: 14 * DAY,
  defaultHelp: defaultInDescription,
  description: 'Warn about certificates that expire sooner (default: 14d)',
})

/** Flags of commands that change certificates. */
const changeFlags = {
  'dry-run': dryRun(),
  timeout: duration({
    flag: '--timeout',
    default: 30_000,
    defaultHelp: defaultInDescription,
    description: 'Time limit for the gateway to serve the new certificate (default: 30s)',
  }),
  yes,
}

const KEY_TYPES = { rsa2048: 2048, rsa3072: 3072, rsa4096: 4096 } as const

/** An RSA key type; the value is its size in bits. */
const keyType = Flags.custom<number>({
  helpValue: 'TYPE',
  options: Object.keys(KEY_TYPES),
  parse: async (text) => KEY_TYPES[text as keyof typeof KEY_TYPES],
})

export const keyTypeFlag = {
  'key-type': keyType({
    description: 'Type of the new key: rsa2048, rsa3072 or rsa4096 (default: like the old key, else rsa2048)',
  }),
}

export interface NamedText {
  name: string
  text: string
}

/** A file that is read while flags are parsed, so that a wrong name is wrong usage (exit 2). */
const file = Flags.custom<NamedText, { flag: string }>({
  helpValue: 'FILE',
  parse: async (name, _context, { flag }) => ({ name, text: await readText(flag, name) }),
})

/** A CA that the user has already. */
export const authorityFlags = {
  'ca-cert': file({
    flag: '--ca-cert',
    dependsOn: ['ca-key'],
    description: 'Sign with your own CA: its certificate, PEM',
  }),
  'ca-key': file({
    flag: '--ca-key',
    dependsOn: ['ca-cert'],
    description: 'Key of --ca-cert: RSA, PEM, without a password',
  }),
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

/** `NAME` or `Issuer/NAME` in the gateway's namespace, or `ClusterIssuer/NAME`. */
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

/** Certificates that `expose` can serve instead of a generated one. */
export const certificateFlags = {
  'tls-secret': secretName({
    exclusive: ['insecure', 'ca-cert', 'ca-key'],
    description:
      "Serve your own TLS Secret from the gateway's namespace (default: the one in use, else a generated one)",
  }),
  'tls-issuer': issuer({
    exclusive: ['insecure', 'tls-secret', 'ca-cert', 'ca-key'],
    description: 'Let this cert-manager Issuer create the certificate (default: the one in use, else none)',
  }),
  ...authorityFlags,
}

/** The CA from --ca-cert and --ca-key, if given. */
export function authorityPair(flags: {
  'ca-cert'?: NamedText | undefined
  'ca-key'?: NamedText | undefined
}): UserKeyPair | undefined {
  const { 'ca-cert': certificate, 'ca-key': key } = flags
  if (certificate === undefined || key === undefined) return undefined
  return { certificate: certificate.text, key: key.text, certificateName: certificate.name, keyName: key.name }
}

export const certDomain = domain({ description: 'Domain that the CA may sign for (default: the one in use)' })

/** CAs that are trusted although they come from somebody else; several during a rotation. */
const fingerprints = {
  fingerprint: Flags.custom<string>({
    helpValue: 'SHA256',
    multiple: true,
    multipleNonGreedy: true,
    parse: async (text) => requireFingerprint(text),
  })({
    description: 'Only the CA with this SHA-256 fingerprint, also one that can vouch for other domains (repeatable)',
  }),
}

/** The argument of `cert export`. */
export const exportArgs = {
  what: Args.option({ options: EXPORTS })({
    required: true,
    description:
      'ca: the CA certificate, for clients to trust; fullchain: the certificate and the CA certificate; pkcs12: both and the key, with a password',
  }),
}

export const exportFlags = {
  ...gatewayNamespace,
  ...fingerprints,
  file: Flags.string({
    char: 'f',
    helpValue: 'FILE',
    description: 'Write to this new file; required for pkcs12 (default: stdout)',
  }),
  'password-file': file({
    flag: '--password-file',
    description: 'File with the PKCS#12 password on its first line (default: a generated password, which is shown)',
  }),
}

export function firstLine(file: NamedText | undefined): string | undefined {
  return file?.text.split(/\r?\n/)[0]
}

/** Flags of `cert rotate`. */
export const rotateFlags = {
  ca: Flags.boolean({ description: 'Start a CA rotation: distribute the new CA next to the old one' }),
  finish: Flags.boolean({ description: 'Finish a CA rotation: sign with the new CA, drop the old one' }),
  ...authorityFlags,
  ...keyTypeFlag,
  ...gatewayFlags,
  ...changeFlags,
}

/** Flags of `cert trust`. */
export const trustFlags = {
  ...gatewayNamespace,
  domain: domain({
    description: 'Trust the CA that this machine has for a domain (default: the CAs of the exposures)',
  }),
  remove: Flags.boolean({
    default: false,
    description: 'Remove every CA that this command added, or only the one for --domain',
  }),
  ...fingerprints,
  'dry-run': Flags.option({ options: ['none', 'client'] as const })({
    default: 'none',
    defaultHelp: defaultInDescription,
    description: 'client: print the commands and run none of them (default: none)',
  }),
  yes,
}
