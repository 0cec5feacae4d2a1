/** Flag types that several commands share, in kubectl's syntax. Values are checked before anything is read: a wrong value is exit code 2. */
import { readFile } from 'node:fs/promises'
import { Args, Flags } from '@oclif/core'
import { ADDON_NAMES, type AddonChoice, requireAddons } from '../addons/catalog.ts'
import type { PortFlag } from '../addons/port-choice.ts'
import type { ServiceChoice } from '../addons/service-survey.ts'
import { type UserError, usageError } from '../errors.ts'
import { requireAddress, requireDomain } from '../gateways/names.ts'

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** kubectl's durations (`30s`, `1m30s`, `500ms`) in milliseconds. @throws UserError DURATION_INVALID (exit 2) */
export function parseDuration(text: string, flag: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h)/g)]
  const total = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? ''] ?? 0), 0)
  if (parts.map(([part]) => part).join('') !== text || total <= 0) {
    throw durationInvalid(text, flag, '30s', '2m')
  }
  return total
}

/** The longest time that a timer of Node takes: 24 days. */
const LONGEST = 2 ** 31 - 1

/** kubectl's `--request-timeout`: a number is in seconds, and zero or nothing is no limit. @throws UserError DURATION_INVALID (exit 2) */
function parseTimeout(text: string, flag: string): number {
  const amount = /^\+?(\d+)$/.exec(text)?.[1]
  const milliseconds = /^(0s?)?$/.test(text)
    ? LONGEST
    : amount === undefined
      ? parseDuration(text, flag)
      : Number(amount) * 1_000
  return Math.min(milliseconds || LONGEST, LONGEST)
}

export function durationInvalid(text: string, flag: string, ...examples: string[]): UserError {
  const message = `${flag} ${JSON.stringify(text)} is not a duration`
  return usageError(
    'DURATION_INVALID',
    message,
    examples.map((example) => `${flag} ${example}`),
  )
}

/** For flags whose description ends with the default, as in gh and helm: oclif would print it a second time, in front. */
export const defaultInDescription = async () => undefined

export const duration = Flags.custom<number, { flag: string }>({
  helpValue: 'DURATION',
  parse: async (text, _context, { flag }) => parseDuration(text, flag),
})

export const timeout = Flags.custom<number, { flag: string }>({
  helpValue: 'DURATION',
  parse: async (text, _context, { flag }) => parseTimeout(text, flag),
})

export const domain = Flags.custom<string>({ helpValue: 'DOMAIN', parse: async (text) => requireDomain(text) })

export const address = Flags.custom<string>({
  helpValue: 'ADDRESS[:PORT]',
  parse: async (text) => requireAddress(text),
})

export const dryRun = Flags.option({
  options: ['none', 'client', 'server'] as const,
  default: 'none' as const,
  defaultHelp: defaultInDescription,
  description:
    'client: print the changes; server: validate them on the API server; both change nothing (default: none)',
})

/** Names of add-ons, and Services. @param purpose `Add-ons to expose`: what the command does with them */
export function exposedArg(purpose: string, form: string) {
  return Args.string({
    name: 'addon',
    multiple: true,
    description: `${purpose}: ${ADDON_NAMES.join(', ')} (default: all); or Services of the namespace -n: ${form}`,
  })
}

/**
 * Add-ons, and Services as `svc/NAME` or `svc/NAME:PORT`. Without any word all add-ons; with Services only, no add-on.
 * @throws UserError ADDON_UNKNOWN, SERVICE_INVALID (exit 2)
 */
export function requireExposed(words: string[]): { addons: AddonChoice; services: ServiceChoice[] } {
  const [ofServices, others] = [words.filter(isServiceWord), words.filter((word) => !isServiceWord(word))]
  const services = ofServices.map(requireServiceWord)
  const twice = services.find(({ name }, index) => services.findIndex((one) => one.name === name) !== index)
  if (twice !== undefined) throw serviceInvalid(words.join(' '), `svc/${twice.name} once, with one port`)
  const onlyServices = services.length > 0 && others.length === 0
  return { addons: onlyServices ? { names: [], named: true } : requireAddons(others), services }
}

function isServiceWord(word: string): boolean {
  return /^(svc|services?)\//.test(word)
}

/** @param form of the argument that is right */
export function serviceInvalid(text: string, form: string): UserError {
  const message = `${JSON.stringify(text)} is not ${form}`
  return usageError('SERVICE_INVALID', message, ['svc/httpbin', 'svc/httpbin:8000'])
}

/** @throws UserError SERVICE_INVALID (exit 2) */
function requireServiceWord(word: string): ServiceChoice {
  const [, name, port] = /^\w+\/([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)(?::([a-z0-9][a-z0-9-]{0,14}))?$/.exec(word) ?? []
  const number = Number(port)
  if (name === undefined || number === 0 || number > 65_535) throw serviceInvalid(word, 'svc/NAME or svc/NAME:PORT')
  return port === undefined ? { name } : { name, port: Number.isNaN(number) ? port : number }
}

/** Parses `31531`, `grafana=31531` or `svc/productpage=31531`. @throws UserError with the flag's code (exit 2) */
export function addonPort(
  text: string,
  { flag, code }: PortFlag,
  example: number,
): { addon?: string | undefined; port: number } {
  const [, word, digits] = /^(?:([^=]+)=)?(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (digits !== undefined && port >= 1 && port <= 65535) return { addon: word && exposedWord(word), port }
  throw usageError(code, `${flag} ${JSON.stringify(text)} is not a port, or NAME=PORT`, [
    `${flag} ${example}`,
    `${flag} grafana=${example}`,
  ])
}

function exposedWord(word: string): string | undefined {
  const { addons, services } = requireExposed([word])
  const [service] = services
  return service === undefined ? addons.names[0] : `svc/${service.name}`
}

/** --diff implies a dry run: on the API server, unless --dry-run=client is given too. */
export function dryRunOf(flags: {
  'dry-run': 'none' | 'client' | 'server'
  diff: boolean
}): 'none' | 'client' | 'server' {
  return flags.diff && flags['dry-run'] === 'none' ? 'server' : flags['dry-run']
}

export const diff = Flags.boolean({
  exclusive: ['output'],
  description: 'Print the changes as a diff and change nothing (like --dry-run=server)',
})

export const yes = Flags.boolean({ char: 'y', description: 'Do not ask for confirmation' })

/** The text of a file that a flag names. @throws UserError FILE_UNREADABLE (exit 2) */
export async function readText(flag: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message
    throw usageError('FILE_UNREADABLE', `${flag} ${file} cannot be read: ${why}`)
  }
}
