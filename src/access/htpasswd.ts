/** Users and hashed passwords in the form of Apache's htpasswd, as far as Envoy reads it: SHA-1 alone. */
import { createHash } from 'node:crypto'
import { usageError } from '../errors.ts'
import type { Credentials } from './guard.ts'

const USER = 'telemetry'
/** 144 bits: SHA-1 without salt gives away what can be guessed, and this cannot. */
const PASSWORD_BYTES = 18
const SHA = /^[^:]+:\{SHA\}[A-Za-z0-9+/]{27}=$/
const REMEDY = ['htpasswd -nbs USER PASSWORD   # SHA-1: choose long, random passwords']

/**
 * The users in a file of htpasswd.
 * https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/basic_auth_filter
 * @throws UserError HTPASSWD_INVALID (exit 2)
 */
export function requireUsers(text: string, file: string): string[] {
  const wrong = (why: string) => usageError('HTPASSWD_INVALID', `--htpasswd ${file} ${why}`, REMEDY)
  const lines = text.split('\n').map((line, index) => ({ line: line.trim(), number: index + 1 }))
  const users = lines.filter(({ line }) => line !== '' && !line.startsWith('#'))
  if (users.length === 0) throw wrong('has no user')
  for (const { line, number } of users)
    if (!SHA.test(line)) throw wrong(`line ${number} has ${formOf(line)}; Envoy reads SHA-1 ({SHA}) alone`)
  const names = users.map(({ line }) => line.slice(0, line.indexOf(':')))
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw wrong(`has the user ${JSON.stringify(twice)} twice`)
  return users.map(({ line }) => line)
}

/** Nothing of the password itself is told. */
function formOf(line: string): string {
  const [name, hash, ...more] = line.split(':')
  if (!name || hash === undefined || more.length > 0) return 'no USER:HASH'
  if (/^\$2[abxy]?\$/.test(hash)) return 'a bcrypt hash'
  if (hash.startsWith('$apr1$')) return 'an MD5 hash (apr1)'
  if (/^\$[156y]\$/.test(hash)) return 'a crypt hash'
  if (hash.startsWith('{SHA}')) return 'a cut or broken SHA-1 hash'
  return 'a hash of another kind, or none'
}

/** A password nobody knows yet. @param random bytes, unpredictable */
export function generateCredentials(random: (bytes: number) => Uint8Array): Credentials {
  const password = Buffer.from(random(PASSWORD_BYTES)).toString('base64url')
  return { user: USER, password, line: `${USER}:{SHA}${createHash('sha1').update(password).digest('base64')}` }
}
