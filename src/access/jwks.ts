/** Checks the keys of a token issuer. */
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { isAccepted, usageError } from '../errors.ts'
import { isMap, jsonOf, mapOf } from '../shapes.ts'

/**
 * @returns a JSON Web Key Set on one line, with only public keys
 * @throws UserError JWKS_INVALID (exit 2)
 */
export function requireKeySet(text: string, file: string): string {
  const wrong = (why: string) => usageError('JWKS_INVALID', `--jwks ${file} ${why}`, ['{"keys": [{"kty": "RSA", …}]}'])
  const keys = keysIn(text)
  if (keys === undefined) throw wrong('is not a JSON Web Key Set')
  if (keys.length === 0) throw wrong('has no key')
  for (const [index, key] of keys.entries()) {
    if ('d' in key || key.kty === 'oct') throw wrong(`has a secret key (number ${index + 1}): use the public key`)
    if (!isPublicKey(key)) throw wrong(`has a key that cannot be read (number ${index + 1})`)
  }
  return JSON.stringify({ keys })
}

/** Whether a text has the form of a JSON Web Key Set. */
export function isKeySet(text: string): boolean {
  return keysIn(text) !== undefined
}

function keysIn(text: string): JsonWebKey[] | undefined {
  const { keys } = mapOf(jsonOf(text))
  return Array.isArray(keys) && keys.every(isMap) ? keys : undefined
}

function isPublicKey(key: JsonWebKey): boolean {
  try {
    return createPublicKey({ key, format: 'jwk' }).type === 'public'
  } catch {
    return false
  }
}

/**
 * Checks the URL of keys. Plaintext is only allowed inside of the cluster, because others on the way could replace the keys.
 * @throws UserError JWKS_URI_INVALID (exit 2)
 */
export function requireKeysUri(text: string): string {
  const wrong = (why: string) =>
    usageError('JWKS_URI_INVALID', `--jwks-uri ${JSON.stringify(text)} ${why}`, [
      '--jwks-uri https://issuer.example.com/jwks.json',
      '--jwks-uri http://issuer.auth.svc:8080/jwks.json   # a Service',
    ])
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) throw wrong('is not an http or https URL')
  if (url.username !== '' || url.password !== '') throw wrong('contains a password')
  const isService = /\.svc(\.cluster\.local)?$/.test(url.hostname)
  if (url.protocol === 'http:' && !isService)
    throw wrong('is plaintext, which is only allowed for Services of the cluster')
  if (url.protocol === 'https:' && isService)
    throw wrong('is a Service of the cluster, which the gateway can only reach by http')
  return text
}

/** Whether keys may come from a URL. */
export function isKeysUri(text: string): boolean {
  return isAccepted(() => requireKeysUri(text))
}
