/** Users and hashed passwords in the format of Apache's htpasswd. Envoy supports only SHA-1. */
import { createHash } from 'node:crypto'
import { usageError } from '../errors.ts'
import type { Credentials } from './guard.ts'

const USER = 'telemetry'
/** 144 random bits, because unsalted SHA-1 does not protect passwords that can be guessed. */
const PASSWORD_BYTES = 18
const SHA = /^[^:]+:\{SHA\}[A-Za-z0-9+/]{27}=$/
const REMEDY = ['htpasswd -nbs USER PASSWORD   # SHA-1: choose long, random passwords']

/** Whether Envoy supports a line, which has a user and a hash. */
export function isUserLine(line: string): boolean {
  return SHA.test(line)
}

/**
 * @returns the lines of an htpasswd file
 * https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/basic_auth_filter
 * @throws UserError HTPASSWD_INVALID (exit 2)
 */
export function requireUsers(text: string, file: string): string[] {
  const wrong = (why: string) => usageError('HTPASSWD_INVALID', `--htpasswd ${file} ${why}`, REMEDY)
  const lines = text.split('\n').map((line, index) => ({ line: line.trim(), number: index + 1 }))
  const users = lines.filter(({ line }) => line !== '' && !line.startsWith('#'))
  if (users.length === 0) throw wrong('has no user')
  for (const { line, number } of users)
    if (!isUserLine(line)) throw wrong(`line ${number} has ${formOf(line)}; Envoy supports only SHA-1 ({SHA})`)
  const names = users.map(({ line }) => line.slice(0, line.indexOf(':')))
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw wrong(`has the user ${JSON.stringify(twice)} twice`)
  return users.map(({ line }) => line)
}

/** Describes a hash without showing any part of it. */
function formOf(line: string): string {
  const [name, hash, ...more] = line.split(':')
  if (!name || hash === undefined || more.length > 0) return 'no USER:HASH'
  if (/^\$2[abxy]?\$/.test(hash)) return 'a bcrypt hash'
  if (hash.startsWith('$apr1$')) return 'an MD5 hash (apr1)'
  if (/^\$[156y]\$/.test(hash)) return 'a crypt hash'
  if (hash.startsWith('{SHA}')) return 'a cut or broken SHA-1 hash'
  return 'no hash of a known kind'
}

/** Generates a new password. @param random unpredictable bytes */
export function generateCredentials(random: (bytes: number) => Uint8Array): Credentials {
  const password = Buffer.from(random(PASSWORD_BYTES)).toString('base64url')
  return { user: USER, password, line: `${USER}:{SHA}${createHash('sha1').update(password).digest('base64')}` }
}
