/** Flags of `cert`. */
import { Flags } from '@oclif/core'
import { usageError } from '../errors.ts'
import { address, dryRun, duration, parseDuration, yes } from '../flags.ts'

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

/** Which Gateways of ours, and how they are reached from here. */
export const gatewayChoice = {
  namespace: Flags.string({
    char: 'n',
    helpValue: 'NAMESPACE',
    description: "the ingress gateway's namespace, where the TLS Secret is (default: every namespace is searched)",
  }),
  'ingress-ip': address({
    description: 'where the ingress gateway is reached (default: what its Service or a node says)',
  }),
}

export const expiresIn = days({
  flag: '--expires-in',
  default: 14 * DAY,
  defaultHelp: async () => '14d',
  description: 'exit with 1 when a certificate has less time left',
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
