/** What `--from` and `--sha256` say. Pure. */
import { usageError } from '../../errors.ts'
import { withoutCredentials } from '../../text.ts'
import { requireSamples } from '../catalog.ts'

/** Where samples come from, if not from the package. */
export type Origin = { kind: 'release' } | { kind: 'path'; path: string } | { kind: 'url'; url: URL }

/** A digest that a file must have. */
export interface RequiredDigest {
  /** Left out where there is only one add-on. */
  addon?: string
  /** 64 digits in lower case. */
  sha256: string
}

/** @throws UserError SOURCE_INVALID (exit 2) */
export function requireOrigin(text: string): Origin {
  if (text === 'release') return { kind: 'release' }
  if (text === '') throw invalidOrigin(text, 'is empty')
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return { kind: 'path', path: text }
  const url = URL.parse(text)
  if (url === null) throw invalidOrigin(text, 'is not a URL')
  if (url.username !== '' || url.password !== '') throw invalidOrigin(text, 'has credentials in it')
  const isFetched = url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))
  if (!isFetched) throw invalidOrigin(text, 'is neither an https URL nor one of this machine')
  return { kind: 'url', url }
}

function invalidOrigin(text: string, why: string) {
  return usageError('SOURCE_INVALID', `--from ${JSON.stringify(withoutCredentials(text))} ${why}`, [
    '--from DIRECTORY',
    '--from https://HOST/PATH/grafana.yaml',
    '--from release',
  ])
}

/** Whether a URL names this machine. */
export function isLoopback({ hostname }: URL): boolean {
  return /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\]|\[::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}\])\.?$/.test(
    hostname,
  )
}

/** `HEX` or `NAME=HEX`. @throws UserError SHA256_INVALID, SAMPLE_UNKNOWN (exit 2) */
export function requireDigest(text: string): RequiredDigest {
  const [, name, hex] = /^(?:([^=]*)=)?([0-9a-f]{64})$/i.exec(text) ?? []
  if (hex === undefined)
    throw digestInvalid(`--sha256 ${JSON.stringify(text)} is not 64 hexadecimal digits, or ADDON=DIGITS`)
  const sha256 = hex.toLowerCase()
  if (name === undefined) return { sha256 }
  requireSamples([name])
  return { addon: name, sha256 }
}

/**
 * The digests that each add-on must have. Once one is required, each add-on needs one: a forgotten one would go unnoticed.
 * @param chosen names of add-ons
 * @throws UserError SHA256_INVALID (exit 2)
 */
export function digestsOf(required: readonly RequiredDigest[], chosen: readonly string[]): Map<string, string[]> {
  const [only] = chosen
  if (required.length === 0) return new Map()
  const unnamed = required.some(({ addon }) => addon === undefined)
  if (unnamed && chosen.length !== 1)
    throw digestInvalid(`--sha256 without the name of an add-on fits only one add-on, not ${chosen.join(', ')}`)
  const named = required.map(({ addon = only ?? '', sha256 }) => ({ addon, sha256 }))
  const other = named.find(({ addon }) => !chosen.includes(addon))
  if (other !== undefined)
    throw digestInvalid(`--sha256 names ${other.addon}, which is not one of ${chosen.join(', ')}`)
  const lacking = chosen.find((name) => named.every(({ addon }) => addon !== name))
  if (lacking !== undefined) throw digestInvalid(`--sha256 has no digest for ${lacking}`)
  return new Map(chosen.map((name) => [name, named.filter(({ addon }) => addon === name).map(({ sha256 }) => sha256)]))
}

function digestInvalid(message: string) {
  return usageError('SHA256_INVALID', message, ['--sha256 grafana=DIGITS   # printed by: sha256sum grafana.yaml'])
}
