/** Flags of `tracing`. */
import { Flags } from '@oclif/core'
import { usageError } from '../errors.ts'
import { defaultInDescription, diff, dryRun, duration, yes } from './values.ts'

/** `--backend svc/NAME.NAMESPACE[:PORT]`. */
interface BackendFlag {
  name: string
  namespace: string
  port: number | undefined
}

const LABEL = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?'
const BACKEND = new RegExp(`^(?:svc|services?)/(${LABEL})\\.(${LABEL})(?::(\\d{1,5}))?$`)

/** @throws UserError BACKEND_INVALID (exit 2) */
function requireBackend(text: string): BackendFlag {
  const [, name, namespace, digits] = BACKEND.exec(text) ?? []
  const port = digits === undefined ? undefined : Number(digits)
  if (name !== undefined && namespace !== undefined && (port === undefined || (port >= 1 && port <= 65_535)))
    return { name, namespace, port }
  throw usageError('BACKEND_INVALID', `--backend ${JSON.stringify(text)} is not svc/NAME.NAMESPACE:PORT`, [
    '--backend svc/jaeger-collector.istio-system:4317',
    '--backend svc/zipkin.tracing   # its best port',
  ])
}

/** @throws UserError SAMPLING_INVALID (exit 2) */
function requireSampling(text: string): number {
  const percent = /^\d{1,3}(\.\d{1,2})?$/.test(text) ? Number(text) : Number.NaN
  if (percent <= 100) return percent
  throw usageError('SAMPLING_INVALID', `--sampling ${JSON.stringify(text)} is not a percentage from 0 to 100`, [
    '--sampling 10',
    '--sampling 0.5',
  ])
}

/** @throws UserError PROBE_URL_INVALID (exit 2) */
function requireUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPlain = url?.username === '' && url.password === ''
  if (url !== undefined && isPlain && ['http:', 'https:'].includes(url.protocol)) return url
  throw usageError('PROBE_URL_INVALID', '--probe is not an http or https URL without user and password', [
    '--probe https://shop.example.com/cart',
  ])
}

const traced = Flags.string({
  char: 'n',
  helpValue: 'NAMESPACE',
  description: 'Only the workloads of this namespace (default: the whole mesh)',
})

export const tracingOnFlags = {
  namespace: traced,
  sampling: Flags.custom<number>({
    helpValue: 'PERCENT',
    description:
      'How many requests without a decision are traced; 0 is none of them (default: what is set elsewhere, else 1)',
    parse: async (text) => requireSampling(text),
  })(),
  backend: Flags.custom<BackendFlag>({
    helpValue: 'svc/NAME.NAMESPACE[:PORT]',
    description: 'Where spans are sent (default: the only tracing backend)',
    parse: async (text) => requireBackend(text),
  })(),
  revision: Flags.string({ helpValue: 'REVISION', description: 'Only this revision of istiod (default: all)' }),
  probe: Flags.custom<URL>({
    helpValue: 'URL',
    description: 'What is requested for the proof (default: something that is exposed)',
    parse: async (text) => requireUrl(text),
  })(),
  timeout: duration({
    flag: '--timeout',
    default: 30_000,
    defaultHelp: defaultInDescription,
    description: 'Time limit for the trace to arrive (default: 30s)',
  }),
  'dry-run': dryRun(),
  diff,
  yes,
}

export const tracingOffFlags = { namespace: traced, 'dry-run': dryRun(), yes }
