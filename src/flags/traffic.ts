/** Flags and arguments of traffic. */
import { Args, Flags, type Interfaces } from '@oclif/core'
import { ADDON_NAMES } from '../addons/catalog.ts'
import { type UserError, usageError } from '../errors.ts'
import { LIMITS, requireCount, requireRate, requireShare, scheduleOf, USUAL } from '../traffic/limits.ts'
import type { TargetChoice, TrafficRequest } from '../traffic/request.ts'
import { namespacedName } from './expose.ts'
import { prometheusName } from './scraping.ts'
import { address, defaultInDescription, duration, requireExposed } from './values.ts'

/** The most characters of a path. */
const LONGEST_PATH = 2_000

const count = Flags.custom<number, { of: 'requests' | 'concurrency' }>({
  helpValue: 'NUMBER',
  parse: async (text, _context, { of }) => requireCount(text, of),
})

const rate = Flags.custom<number>({ helpValue: 'PER_SECOND', parse: async (text) => requireRate(text) })

const share = Flags.custom<number>({ helpValue: 'PERCENT', parse: async (text) => requireShare(text) })

const path = Flags.custom<string>({
  helpValue: 'PATH',
  multiple: true,
  multipleNonGreedy: true,
  parse: async (text) => requirePath(text),
})

/** @throws UserError TRAFFIC_PATH_INVALID (exit 2) */
function requirePath(text: string): string {
  if (text.length <= LONGEST_PATH && /^\/[!-~]*$/.test(text) && !text.includes('#')) return text
  const shown = JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)
  throw pathInvalid(`--path ${shown} is not an absolute path of a URL`)
}

function pathInvalid(message: string): UserError {
  return usageError('TRAFFIC_PATH_INVALID', message, ['--path /productpage', '--path "/search?q=a%20b"'])
}

export const targetArg = Args.string({
  name: 'target',
  multiple: true,
  description: `What is exposed: ${ADDON_NAMES.join(', ')}; svc/NAME of the namespace -n; or a URL at an ingress gateway (default: the only exposure)`,
})

/** Flags of `traffic`. */
export const trafficFlags = {
  namespace: Flags.string({
    char: 'n',
    helpValue: 'NAMESPACE',
    description: 'Namespace of the add-on (default: all namespaces) or of the Service (default: that of the context)',
  }),
  requests: count({
    of: 'requests',
    description: `How many requests, at most ${LIMITS.requests} (default: 1000, or as many as fit into --for)`,
  }),
  rate: rate({
    description: `Requests a second, at most ${LIMITS.rate} (default: 20)`,
  }),
  for: duration({ flag: '--for', description: 'Send no request later than this, at most 30m (default: no limit)' }),
  concurrency: count({
    of: 'concurrency',
    description: `Connections, each with one request at a time, at most ${LIMITS.concurrency} (default: 4)`,
  }),
  path: path({ description: 'Path to request; repeatable: in turn (default: that of the exposure)' }),
  head: Flags.boolean({ description: 'Send HEAD instead of GET' }),
  'max-errors': share({
    description:
      'Stop when more of the last 100 requests get no answer or a status from 500, and exit with 1 (default: 10%)',
  }),
  via: Flags.option({
    options: ['gateway', 'api-server'] as const,
    default: 'gateway' as const,
    defaultHelp: defaultInDescription,
    description:
      'gateway: as clients outside do; api-server: the API server asks the pods of a Service that is not exposed (default: gateway)',
  })(),
  gateway: namespacedName({ description: 'Ingress gateway, if several serve the host (default: the only one)' }),
  'ingress-ip': address({ description: 'Which address of the ingress gateway to use (default: from its Service)' }),
  prometheus: prometheusName({
    description: 'Prometheus to query; "none" queries none (default: the only one)',
  }),
}

type TrafficFlags = Interfaces.InferredFlags<typeof trafficFlags>

/** What the flags and arguments ask for, each field by its name. */
export function trafficRequestOf(flags: TrafficFlags, words: string[]): TrafficRequest {
  const target = requireTarget(words)
  const paths = flags.path ?? []
  return {
    target,
    namespace: flags.namespace,
    schedule: scheduleOf({ requests: flags.requests, rate: flags.rate ?? USUAL.rate, duration: flags.for }),
    concurrency: flags.concurrency ?? USUAL.concurrency,
    paths: target.by === 'url' ? pathsOfUrl(target.url, paths) : paths,
    method: flags.head ? 'HEAD' : 'GET',
    maxErrors: flags['max-errors'] ?? USUAL.maxErrors,
    via: flags.via,
    gateway: flags.gateway,
    ingressAddress: flags['ingress-ip'],
    prometheus: flags.prometheus,
  }
}

/** @throws UserError TRAFFIC_TARGET_INVALID, ADDON_UNKNOWN, SERVICE_INVALID (exit 2) */
function requireTarget(words: string[]): TargetChoice {
  const [word, more] = words
  if (word === undefined) return { by: 'any' }
  if (more !== undefined) throw targetInvalid(words.join(' '), 'is more than one target')
  if (word.includes('://')) return { by: 'url', url: requireUrl(word) }
  const { addons, services } = requireExposed([word])
  const [service] = services
  if (service !== undefined) return { by: 'service', service }
  const [name, another] = addons.names
  if (name === undefined || another !== undefined) throw targetInvalid(word, 'is more than one target')
  return { by: 'addon', name }
}

function requireUrl(text: string): URL {
  if (!URL.canParse(text)) throw targetInvalid(text, 'is not a URL')
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw targetInvalid(text, 'is not a URL with http or https')
  if (url.username !== '' || url.password !== '') throw targetInvalid(text, 'has credentials, which are not sent')
  if (url.hash !== '') throw targetInvalid(text, 'has a fragment (#), which servers never see')
  return url
}

function targetInvalid(text: string, why: string): UserError {
  return usageError(
    'TRAFFIC_TARGET_INVALID',
    `${JSON.stringify(text.length > 100 ? `${text.slice(0, 97)}...` : text)} ${why}`,
    ['kubectl telemetry traffic svc/NAME -n NAMESPACE', 'kubectl telemetry traffic https://HOST/PATH'],
  )
}

function pathsOfUrl({ pathname, search }: URL, paths: string[]): string[] {
  if (paths.length === 0) return [requirePath(`${pathname}${search}`)]
  if (pathname === '/' && search === '') return paths
  throw pathInvalid('the URL has a path, and --path gives another one')
}
